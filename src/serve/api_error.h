// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>

namespace strata::serve {

// What a request is refused with: an HTTP status, and OpenAI's error object.
class ApiError : public std::runtime_error {
 public:
  // `parameter`: the request's field at fault; may be empty. `code`: OpenAI's name of the case; may be empty.
  ApiError(int status, const std::string& message, std::string parameter = "", std::string code = "");

  int status() const { return status_; }

  // {"type": "error", "error": {message, type, param, code}}; `type` is where Anthropic's clients look
  nlohmann::ordered_json to_json() const;

 private:
  int status_;
  std::string parameter_, code_;
};

inline ApiError bad_request(const std::string& message, const std::string& parameter = "") {
  return {400, message, parameter};
}

}  // namespace strata::serve
