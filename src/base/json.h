// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace strata {

struct JsonLimits {
  std::size_t max_bytes = std::size_t{64} << 20;
  int max_depth = 64;
  bool unique_keys = true;  // refuse an object that has a key twice; otherwise the last one counts
};

// Parses JSON (RFC 8259, UTF-8) that nobody vouches for. Throws model_error naming `origin` and the byte offset.
nlohmann::json parse_json(std::string_view text, const std::string& origin, const JsonLimits& limits = {});

// The same for a file's content.
nlohmann::json parse_json_file(const std::filesystem::path& path, const JsonLimits& limits = {});

// Reads the fields of one JSON object with their types and ranges checked; every failure is a model_error naming the
// field and `origin`. Fields that are null count as missing. Refers to the object, which must outlive it.
class JsonObject {
 public:
  JsonObject(const nlohmann::json& value, std::string origin);

  bool has(const char* key) const;
  bool is_null(const char* key) const;                // there, and null
  const nlohmann::json* find(const char* key) const;  // nullptr: missing or null
  const nlohmann::json& at(const char* key) const;

  std::int64_t integer(const char* key, std::int64_t min, std::int64_t max) const;
  std::int64_t integer_or(const char* key, std::int64_t fallback, std::int64_t min, std::int64_t max) const;
  double number(const char* key, double min, double max) const;
  double number_or(const char* key, double fallback, double min, double max) const;
  bool boolean_or(const char* key, bool fallback) const;
  std::string text(const char* key) const;
  std::string text_or(const char* key, const std::string& fallback) const;
  JsonObject object(const char* key) const;

  // Throws the model_error of a field whose value isn't what is `expected`.
  [[noreturn]] void refuse(const char* key, const std::string& expected) const;

  const std::string& origin() const { return origin_; }

 private:
  const nlohmann::json& value_;
  std::string origin_;
};

}  // namespace strata
