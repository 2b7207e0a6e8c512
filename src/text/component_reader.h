// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace strata::text {

// Looks things up in the components of a tokenizer.json; what is not as it must be is a model_error of the file.
class ComponentReader {
 public:
  using Json = nlohmann::json;

  // `origin` is the file's path and must outlive the reader.
  explicit ComponentReader(const std::string& origin) : origin_(origin) {}

  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void unsupported(const std::string& what, const std::string& supported) const;

  // In quotes, its first characters.
  static std::string shown(std::string_view text) { return "\"" + std::string(text.substr(0, 60)) + "\""; }

  // null where it is missing. Requires an object.
  static const Json& member(const Json& object, const char* name);

  // The "type" of a component; "" for null.
  std::string type_of(const Json& component, const char* where) const;

  const Json& list(const Json& component, const char* name) const;
  bool flag(const Json& object, const char* name, bool otherwise) const;
  std::string text(const Json& object, const char* name) const;

  // A non-negative integer, at most `limit`.
  std::int64_t count(const Json& object, const char* name, std::int64_t limit) const;

  std::int32_t token_id(const Json& value, const std::string& of) const;
  [[noreturn]] void fail_token_id(const std::string& of) const;

 private:
  const std::string& origin_;
};

}  // namespace strata::text
