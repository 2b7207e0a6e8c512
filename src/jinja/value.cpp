// SPDX-License-Identifier: Apache-2.0
#include "jinja/value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace strata::jinja {
namespace {

// A text that is equal for keys that Python takes for equal.
std::string key_text(const Value& key) {
  switch (key.kind()) {
    case Kind::kString:
      return "s" + key.as_string();
    case Kind::kBool:
    case Kind::kInt:
      return "i" + std::to_string(key.as_int());
    case Kind::kFloat: {
      const double value = key.as_double();
      if (value == std::floor(value) && std::fabs(value) < 9e18) {
        return "i" + std::to_string(static_cast<std::int64_t>(value));
      }
      std::array<char, 64> buffer{};
      const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
      return "f" + std::string(buffer.data(), end.ptr);
    }
    case Kind::kTuple: {
      std::string text = "t";
      for (const Value& item : key.items()) {
        const std::string part = key_text(item);
        text += std::to_string(part.size()) + ":" + part;
      }
      return text;
    }
    case Kind::kUndefined:
      return "u";
    default:
      return "n";
  }
}

}  // namespace

Value Value::boolean(bool value) {
  Value result(Kind::kBool);
  result.integer_ = value;
  return result;
}

Value Value::integer(std::int64_t value) {
  Value result(Kind::kInt);
  result.integer_ = value;
  return result;
}

Value Value::real(double value) {
  Value result(Kind::kFloat);
  result.real_ = value;
  return result;
}

Value Value::string(std::string value) {
  Value result(Kind::kString);
  result.string_ = std::make_shared<const std::string>(std::move(value));
  return result;
}

Value Value::string(std::shared_ptr<const std::string> value) {
  Value result(Kind::kString);
  result.string_ = std::move(value);
  return result;
}

Value Value::with_safety(bool is_safe) const {
  Value result = *this;
  result.is_safe_ = is_safe;
  return result;
}

Value Value::undefined(std::string what) {
  Value result;
  result.string_ = std::make_shared<const std::string>(std::move(what));
  return result;
}

Value Value::object(Kind kind, Object* object) {
  Value result(kind);
  result.object_ = object;
  return result;
}

const std::string& Value::undefined_name() const {
  static const std::string kUnknown = "a value";
  return string_ ? *string_ : kUnknown;
}

const std::vector<Value>& Value::items() const { return static_cast<const ListObject*>(object_)->items; }

bool DictObject::is_hashable(const Value& key) {
  const auto is_scalar = [](const Value& each) {
    return each.is_string() || each.is_number() || each.is_none() || each.is_undefined();
  };
  // A tuple in a tuple is refused: the depth of a key must be bounded.
  if (key.kind() == Kind::kTuple) return std::all_of(key.items().begin(), key.items().end(), is_scalar);
  return is_scalar(key);
}

const Value* DictObject::find(const Value& key) const {
  if (!is_hashable(key)) return nullptr;
  const auto found = index.find(key_text(key));
  return found == index.end() ? nullptr : &entries[found->second].second;
}

const Value* DictObject::find(const std::string& key) const {
  const auto found = index.find("s" + key);
  return found == index.end() ? nullptr : &entries[found->second].second;
}

void DictObject::set(const Value& key, Value value) {
  const auto [place, is_new] = index.emplace(key_text(key), entries.size());
  if (is_new) {
    entries.emplace_back(key, std::move(value));
  } else {
    entries[place->second].second = std::move(value);
  }
}

const Value* Arguments::find(std::size_t position, std::string_view name) const {
  if (position < positional.size()) return &positional[position];
  for (const auto& [given, value] : named) {
    if (given == name) return &value;
  }
  return nullptr;
}

DictObject& dict_of(const Value& value) { return *static_cast<DictObject*>(value.as_object()); }
LoopObject& loop_of(const Value& value) { return *static_cast<LoopObject*>(value.as_object()); }

bool truthy(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.as_int() != 0;
    case Kind::kFloat:
      return value.as_double() != 0;
    case Kind::kString:
      return !value.as_string().empty();
    case Kind::kList:
    case Kind::kTuple:
      return !value.items().empty();
    case Kind::kDict:
      return !dict_of(value).entries.empty();
    case Kind::kNamespace:
    case Kind::kLoop:
    case Kind::kCallable:
      return true;
  }
  return true;
}

std::string type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kCallable:
      return "function";
  }
  return "object";
}

}  // namespace strata::jinja
