// SPDX-License-Identifier: Apache-2.0
#include "jinja/runtime.h"

namespace strata::jinja {
namespace {

// Texts made on the way, most of them short-lived, may take this many times the output's limit in total.
constexpr std::size_t kTextFactor = 16;
constexpr std::size_t kBytesPerStep = 32;

}  // namespace

void fail_data(const std::string& message) { throw TemplateError(Fault::kData, message); }
void fail_template(const std::string& message) { throw TemplateError(Fault::kTemplate, message); }
void fail_undefined(const Value& value) { fail_data(value.undefined_name() + " is undefined"); }

void Runtime::fail_limit(const std::string& of) { fail_template("the limit of " + of + " is exceeded"); }

void Runtime::charge_text(std::size_t bytes) {
  text_bytes_ += bytes;
  if (bytes > limits_.max_output_bytes || text_bytes_ / kTextFactor > limits_.max_output_bytes) fail_limit("text");
  step(static_cast<std::int64_t>(bytes / kBytesPerStep));
}

Value Runtime::string(std::string text) {
  charge_text(text.size());
  return Value::string(std::move(text));
}

Value Runtime::list(std::vector<Value> items, Kind kind) {
  step(static_cast<std::int64_t>(items.size()));
  auto* object = make<ListObject>();
  object->items = std::move(items);
  return Value::object(kind, object);
}

Value Runtime::callable(std::string name, std::function<Value(Runtime&, const Arguments&)> call) {
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
      for (const auto& [key, value] : json.items()) dict->set(string(key), from_json(value));
      return dict_value(dict);
    }
    default:
      return Value::none();
  }
}

}  // namespace strata::jinja
