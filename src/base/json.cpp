// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_builder.h"
#include "base/text_file.h"

namespace strata {
namespace {

using Json = nlohmann::json;

std::string range_text(double min, double max) { return "from " + Json(min).dump() + " to " + Json(max).dump(); }

}  // namespace

Json parse_json(std::string_view text, const std::string& origin, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    throw model_error(
        "JSON of " + std::to_string(text.size()) + " bytes, over the limit of " + std::to_string(limits.max_bytes),
        origin);
  }
  JsonBuilder<Json> builder({.max_depth = limits.max_depth, .unique_keys = limits.unique_keys});
  if (!builder.parse(text)) throw model_error(builder.error(), origin);
  return builder.take();
}

Json parse_json_file(const std::filesystem::path& path, const JsonLimits& limits) {
  return parse_json(read_text_file(path, limits.max_bytes), path.string(), limits);
}

JsonObject::JsonObject(const Json& value, std::string origin) : value_(value), origin_(std::move(origin)) {
  if (!value.is_object()) throw model_error("a JSON object is needed, not " + std::string(value.type_name()), origin_);
}

const Json* JsonObject::find(const char* key) const {
  const auto at = value_.find(key);
  return at == value_.end() || at->is_null() ? nullptr : &*at;
}

bool JsonObject::has(const char* key) const { return find(key) != nullptr; }

bool JsonObject::is_null(const char* key) const {
  const auto at = value_.find(key);
  return at != value_.end() && at->is_null();
}

const Json& JsonObject::at(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr) throw model_error("\"" + std::string(key) + "\" is missing", origin_);
  return *value;
}

void JsonObject::refuse(const char* key, const std::string& expected) const {
  std::string found = at(key).dump(-1, ' ', false, Json::error_handler_t::replace);
  if (found.size() > 40) found = found.substr(0, 40) + "...";
  throw model_error("\"" + std::string(key) + "\" must be " + expected + ", not " + found, origin_);
}

std::int64_t JsonObject::integer(const char* key, std::int64_t min, std::int64_t max) const {
  const Json& value = at(key);
  const std::string expected = "an integer from " + std::to_string(min) + " to " + std::to_string(max);
  // An unsigned value above the signed range must not wrap around.
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    refuse(key, expected);
  }
  if (!value.is_number_integer()) refuse(key, expected);
  const auto number = value.get<std::int64_t>();
  if (number < min || number > max) refuse(key, expected);
  return number;
}

std::int64_t JsonObject::integer_or(const char* key, std::int64_t fallback, std::int64_t min, std::int64_t max) const {
  return has(key) ? integer(key, min, max) : fallback;
}

double JsonObject::number(const char* key, double min, double max) const {
  const Json& value = at(key);
  if (!value.is_number()) refuse(key, "a number " + range_text(min, max));
  const auto number = value.get<double>();
  if (!(number >= min && number <= max)) refuse(key, "a number " + range_text(min, max));
  return number;
}

double JsonObject::number_or(const char* key, double fallback, double min, double max) const {
  return has(key) ? number(key, min, max) : fallback;
}

bool JsonObject::boolean_or(const char* key, bool fallback) const {
  if (!has(key)) return fallback;
  if (!at(key).is_boolean()) refuse(key, "true or false");
  return at(key).get<bool>();
}

std::string JsonObject::text(const char* key) const {
  if (!at(key).is_string()) refuse(key, "a string");
  return at(key).get<std::string>();
}

std::string JsonObject::text_or(const char* key, const std::string& fallback) const {
  return has(key) ? text(key) : fallback;
}

JsonObject JsonObject::object(const char* key) const {
  if (!at(key).is_object()) refuse(key, "an object");
  return {at(key), origin_ + ", \"" + key + "\""};
}

}  // namespace strata
