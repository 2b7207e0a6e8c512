// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace strata {

// The process exit codes of docs/cli.md; every error a user can cause carries one.
enum class ExitCode : int { kOk = 0, kRuntime = 1, kUsage = 2, kModel = 3, kToolchain = 4, kResource = 5 };

// A mistake in the input or the environment: what, where; what to do. Our own mistakes are assertions instead.
// what() is one line without the "strata: error:" prefix, at most 380 bytes, control characters escaped.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& what, const std::string& where = "", const std::string& remedy = "");
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// The usual kinds, by their cause.
inline Error usage_error(const std::string& what, const std::string& remedy = "") {
  return {ExitCode::kUsage, what, "", remedy};
}
inline Error model_error(const std::string& what, const std::string& where, const std::string& remedy = "") {
  return {ExitCode::kModel, what, where, remedy};
}
inline Error toolchain_error(const std::string& what, const std::string& where, const std::string& remedy = "") {
  return {ExitCode::kToolchain, what, where, remedy};
}
inline Error resource_error(const std::string& what, const std::string& where, const std::string& remedy = "") {
  return {ExitCode::kResource, what, where, remedy};
}

// A name as errors show it: "\"name\"".
inline std::string in_quotes(std::string_view name) { return "\"" + std::string(name) + "\""; }

// Says that Strata itself is wrong; throws std::logic_error naming the place. Used by STRATA_CHECK.
[[noreturn]] void internal_error(const char* file, int line, const std::string& message);

}  // namespace strata

// An invariant of our own code, checked in every build. Never the check of a user's input.
#define STRATA_CHECK(condition, message)                                       \
  do {                                                                         \
    if (!(condition)) ::strata::internal_error(__FILE__, __LINE__, (message)); \
  } while (false)
