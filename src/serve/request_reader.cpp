// SPDX-License-Identifier: Apache-2.0
#include "serve/request_reader.h"

#include <cmath>
#include <utility>

#include "base/json_builder.h"
#include "base/words.h"
#include "serve/api_error.h"
#include "serve/limits.h"

namespace strata::serve {
namespace {

std::string range_text(const std::string& min, const std::string& max) { return "from " + min + " to " + max; }

}  // namespace

Json parse_body(std::string_view body) {
  JsonBuilder<Json> builder({.max_depth = kMaxJsonDepth, .max_keys = kMaxJsonKeys, .max_values = kMaxJsonValues});
  if (!builder.parse(body)) throw bad_request("the body: " + builder.error());
  Json value = builder.take();
  if (!value.is_object()) throw bad_request("the body is no JSON object");
  return value;
}

RequestReader::RequestReader(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
  if (!object.is_object()) throw bad_request((path_.empty() ? "the body" : path_) + " is no object", path_);
}

const Json* RequestReader::find(const char* key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::string RequestReader::path(const char* key) const { return path_.empty() ? key : path_ + "." + key; }

void RequestReader::refuse(const char* key, const std::string& why) const {
  throw bad_request(path(key) + " " + why, path(key));
}

std::optional<std::int64_t> RequestReader::integer(const char* key, std::int64_t min, std::int64_t max) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  const std::string expected = "is not a whole number " + range_text(std::to_string(min), std::to_string(max));
  std::int64_t number = 0;
  if (value->is_number_unsigned()) {
    const auto large = value->get<std::uint64_t>();
    if (std::cmp_greater(large, max)) refuse(key, expected);
    number = static_cast<std::int64_t>(large);
  } else if (value->is_number_integer()) {
    number = value->get<std::int64_t>();
  } else {
    const double real = value->is_number() ? value->get<double>() : 0.5;
    if (std::abs(real) > 0x1p53 || real != std::floor(real)) refuse(key, expected);
    number = static_cast<std::int64_t>(real);
  }
  if (number < min || number > max) refuse(key, expected);
  return number;
}

std::int64_t RequestReader::integer_or(const char* key, std::int64_t fallback, std::int64_t min,
                                       std::int64_t max) const {
  return integer(key, min, max).value_or(fallback);
}

double RequestReader::number_or(const char* key, double fallback, double min, double max) const {
  const Json* const value = find(key);
  if (value == nullptr) return fallback;
  const double number = value->is_number() ? value->get<double>() : std::nan("");
  if (!(number >= min && number <= max)) {
    refuse(key, "is not a number " + range_text(plain_text(min), plain_text(max)));
  }
  return number;
}

bool RequestReader::boolean_or(const char* key, bool fallback) const {
  const Json* const value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) refuse(key, "is neither true nor false");
  return value->get<bool>();
}

std::string RequestReader::text(const char* key) const {
  const Json* const value = find(key);
  if (value == nullptr) refuse(key, "is missing");
  if (!value->is_string()) refuse(key, "is no string");
  return value->get<std::string>();
}

std::string RequestReader::text_or(const char* key, const std::string& fallback) const {
  return has(key) ? text(key) : fallback;
}

const Json* RequestReader::list(const char* key, std::size_t most) const {
  const Json* const value = find(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) refuse(key, "is no list");
  if (value->size() > most) refuse(key, "has more than " + std::to_string(most) + " entries");
  return value;
}

const Json* RequestReader::object(const char* key) const {
  const Json* const value = find(key);
  if (value != nullptr && !value->is_object()) refuse(key, "is no object");
  return value;
}

std::vector<std::int32_t> read_tokens(const Json& list, std::int64_t vocabulary, const std::string& path) {
  std::vector<std::int32_t> tokens;
  if (!list.is_array()) throw bad_request(path + " is no list", path);
  tokens.reserve(list.size());
  for (const Json& entry : list) {
    if (!entry.is_number_integer() || entry.get<double>() < 0 ||
        entry.get<double>() >= static_cast<double>(vocabulary)) {
      throw bad_request(path + " has an entry that is no token id below " + std::to_string(vocabulary), path);
    }
    tokens.push_back(entry.get<std::int32_t>());
  }
  return tokens;
}

}  // namespace strata::serve
