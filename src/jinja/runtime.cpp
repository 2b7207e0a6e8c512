// SPDX-License-Identifier: Apache-2.0
#include "jinja/runtime.h"

namespace strata::jinja {
namespace {

// A string with the memory that is charged for it.
struct ChargedText {
  ChargedText(Account& charged, std::string value) : account(charged), text(std::move(value)), bytes(size_of(text)) {
    account.charge(bytes);
  }
  ~ChargedText() { account.release(bytes); }
  ChargedText(const ChargedText&) = delete;
  ChargedText& operator=(const ChargedText&) = delete;

  static std::size_t size_of(const std::string& text) { return sizeof(ChargedText) + 32 + text.capacity(); }

  Account& account;
  std::string text;
  std::size_t bytes;
};

}  // namespace

void fail_data(const std::string& message) { throw TemplateError(Fault::kData, message); }
void fail_template(const std::string& message) { throw TemplateError(Fault::kTemplate, message); }
void fail_undefined(const Value& value) { fail_data(value.undefined_name() + " is undefined"); }

void Runtime::fail_limit(const std::string& of) {
  throw TemplateError(Fault::kLimit, "the limit of " + of + " is exceeded");
}

void Account::charge(std::size_t bytes) {
  if (bytes > limit_ || held_ > limit_ - bytes) Runtime::fail_limit("memory");
  held_ += bytes;
}

void Runtime::charge_text(std::size_t bytes) {
  if (bytes > limits_.max_output_bytes) fail_limit("text");
  step_bytes(bytes);
}

Value Runtime::string(std::string text, bool is_safe) {
  charge_text(text.size());
  if (text.capacity() > 2 * text.size() + 64) text.shrink_to_fit();
  const auto charged = std::make_shared<const ChargedText>(memory_, std::move(text));
  return Value::string(std::shared_ptr<const std::string>(charged, &charged->text)).with_safety(is_safe);
}

Value Runtime::list(std::vector<Value> items, Kind kind) {
  step_items(items.size());
  memory_.charge(items.capacity() * sizeof(Value));
  auto* object = make<ListObject>();
  object->items = std::move(items);
  return Value::object(kind, object);
}

Value Runtime::group(const Value& grouper, const Value& items) {
  Value pair = list({grouper, items}, Kind::kTuple);
  static_cast<ListObject*>(pair.as_object())->is_group = true;
  return pair;
}

// Equal ranges are one list: a loop within a loop would hold as many as there are turns.
Value Runtime::range(std::int64_t first, std::int64_t last, std::int64_t stride) {
  const std::array<std::int64_t, 3> key = {first, last, stride};
  const auto known = ranges_.find(key);
  if (known != ranges_.end()) return known->second;
  std::vector<Value> items;
  for (std::int64_t i = first; stride > 0 ? i < last : i > last;) {
    if (static_cast<std::int64_t>(items.size()) >= limits_.max_range) fail_limit("range");
    items.push_back(Value::integer(i));
    if (__builtin_add_overflow(i, stride, &i)) break;
  }
  memory_.charge(kNodeBytes + sizeof(key));
  return ranges_.emplace(key, list(std::move(items))).first->second;
}

void Runtime::set(DictObject& dict, const Value& key, Value value) {
  const std::size_t key_bytes = key.is_string() ? key.as_string().size() : 32;
  step_bytes(key_bytes * 16);  // compared with some keys of the index
  memory_.charge(2 * kNodeBytes + key_bytes);
  dict.set(key, std::move(value));
}

void Runtime::set(NamespaceObject& space, const std::string& name, Value value) {
  const auto [place, is_new] = space.members.insert_or_assign(name, std::move(value));
  if (is_new) memory_.charge(2 * kNodeBytes + place->first.size());
}

Value Runtime::callable(std::string name, Function call) {
  memory_.charge(kNodeBytes);
  auto* object = make<CallableObject>();
  object->name = std::move(name);
  object->call = std::move(call);
  return Value::object(Kind::kCallable, object);
}

Value Runtime::from_json(const nlohmann::ordered_json& json) {
  const Depth depth(*this);
  using Type = nlohmann::ordered_json::value_t;
  switch (json.type()) {
    case Type::boolean:
      return Value::boolean(json.get<bool>());
    case Type::number_unsigned:
      if (json.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        fail_data("an integer of the messages is out of range");
      }
      return Value::integer(json.get<std::int64_t>());
    case Type::number_integer:
      return Value::integer(json.get<std::int64_t>());
    case Type::number_float:
      return Value::real(json.get<double>());
    case Type::string:
      return string(json.get_ref<const std::string&>());
    case Type::array: {
      std::vector<Value> items;
      for (const auto& item : json) items.push_back(from_json(item));
      return list(std::move(items));
    }
    case Type::object: {
      DictObject* dict = new_dict();
      for (const auto& [key, value] : json.items()) set(*dict, string(key), from_json(value));
      return dict_value(dict);
    }
    default:
      return Value::none();
  }
}

}  // namespace strata::jinja
