// SPDX-License-Identifier: Apache-2.0
#include "serve/http_error.h"

#include "serve/answer_format.h"

namespace strata::serve {
namespace {

const char* reason_of(int status) {
  switch (status) {
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    default:
      return "Service Unavailable";
  }
}

}  // namespace

std::string raw_response(const ApiError& error) {
  const std::string body = to_text(error.to_json());
  return "HTTP/1.1 " + std::to_string(error.status()) + " " + reason_of(error.status()) + "\r\nConnection: close\r\n" +
         (error.status() == 503 ? "Retry-After: 1\r\n" : "") +
         "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace strata::serve
