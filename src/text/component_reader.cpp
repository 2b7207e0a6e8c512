// SPDX-License-Identifier: Apache-2.0
#include "text/component_reader.h"

#include "base/error.h"
#include "text/vocabulary.h"

namespace strata::text {
namespace {

bool is_in_range(const ComponentReader::Json& value, std::int64_t limit) {
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned()) return value.get<std::uint64_t>() <= static_cast<std::uint64_t>(limit);
  return value.get<std::int64_t>() >= 0 && value.get<std::int64_t>() <= limit;
}

}  // namespace

void ComponentReader::fail(const std::string& what) const {
  throw model_error(what, origin_, "use the tokenizer.json that belongs to the model");
}

void ComponentReader::unsupported(const std::string& what, const std::string& supported) const {
  throw model_error(what + " is not supported", origin_, "supported: " + supported);
}

const ComponentReader::Json& ComponentReader::member(const Json& object, const char* name) {
  static const Json kNull;
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

std::string ComponentReader::type_of(const Json& component, const char* where) const {
  if (component.is_null()) return "";
  const Json& type = component.is_object() ? member(component, "type") : component;
  if (!component.is_object() || !type.is_string()) fail(std::string(where) + " is not an object with a type");
  return type.get<std::string>();
}

const ComponentReader::Json& ComponentReader::list(const Json& component, const char* name) const {
  const Json& items = member(component, name);
  if (!items.is_array()) fail(std::string(name) + " is not a list");
  return items;
}

bool ComponentReader::flag(const Json& object, const char* name, bool otherwise) const {
  const Json& value = member(object, name);
  if (value.is_null()) return otherwise;
  if (!value.is_boolean()) fail(std::string(name) + " is not true or false");
  return value.get<bool>();
}

std::string ComponentReader::text(const Json& object, const char* name) const {
  const Json& value = member(object, name);
  if (!value.is_string()) fail(std::string(name) + " is not a string");
  return value.get<std::string>();
}

std::int64_t ComponentReader::count(const Json& object, const char* name, std::int64_t limit) const {
  const Json& value = member(object, name);
  if (!is_in_range(value, limit)) fail(std::string(name) + " is not an integer from 0 to " + std::to_string(limit));
  return value.get<std::int64_t>();
}

std::int32_t ComponentReader::token_id(const Json& value, const std::string& of) const {
  if (!is_in_range(value, Vocabulary::kMaxId)) fail_token_id(of);
  return value.get<std::int32_t>();
}

void ComponentReader::fail_token_id(const std::string& of) const {
  fail("the id of " + of + " is not an integer from 0 to " + std::to_string(Vocabulary::kMaxId));
}

}  // namespace strata::text
