// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strata::serve {

using Json = nlohmann::ordered_json;

// The JSON object of a request's body, keys in their order. Throws ApiError for what is not JSON in UTF-8, no object,
// is beyond a limit of limits.h, or has a key twice.
Json parse_body(std::string_view body);

// Reads the fields of one JSON object with their types and ranges checked: ApiError names the field. Fields that are
// null count as missing. Refers to the object, which must outlive it.
class RequestReader {
 public:
  // `path`: where the object stands in the request, such as "messages[2]"; empty: it is the whole.
  explicit RequestReader(const Json& object, std::string path = "");

  bool has(const char* key) const { return find(key) != nullptr; }
  const Json* find(const char* key) const;  // nullptr: missing or null

  std::int64_t integer_or(const char* key, std::int64_t fallback, std::int64_t min, std::int64_t max) const;
  std::optional<std::int64_t> integer(const char* key, std::int64_t min, std::int64_t max) const;
  double number_or(const char* key, double fallback, double min, double max) const;
  bool boolean_or(const char* key, bool fallback) const;
  std::string text(const char* key) const;
  std::string text_or(const char* key, const std::string& fallback) const;
  const Json* list(const char* key, std::size_t most) const;  // nullptr: missing
  const Json* object(const char* key) const;                  // nullptr: missing

  // The name of a field in messages, and the refusal that names it.
  std::string path(const char* key) const;
  [[noreturn]] void refuse(const char* key, const std::string& why) const;

 private:
  const Json& object_;
  std::string path_;
};

// Token ids, each at least 0 and below `vocabulary`. Throws ApiError naming `path`.
std::vector<std::int32_t> read_tokens(const Json& list, std::int64_t vocabulary, const std::string& path);

}  // namespace strata::serve
