// SPDX-License-Identifier: Apache-2.0
#include "serve/api_error.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace strata::serve {
namespace {

// OpenAI's names; clients choose the class of their exceptions by the status.
const char* type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "service_unavailable_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

nlohmann::ordered_json text_or_null(const std::string& text) {
  return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

}  // namespace

ApiError::ApiError(int status, const std::string& message, std::string parameter, std::string code)
    : std::runtime_error(message), status_(status), parameter_(std::move(parameter)), code_(std::move(code)) {}

nlohmann::ordered_json ApiError::to_json() const {
  return {{"type", "error"},
          {"error",
           {{"message", what()},
            {"type", type_of(status_)},
            {"param", text_or_null(parameter_)},
            {"code", text_or_null(code_)}}}};
}

}  // namespace strata::serve
