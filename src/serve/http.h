// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strata::serve {

// HTTP without a library's types.
struct HttpRequest {
  std::string method = {};  // GET, POST, ...
  std::string path = {};    // without the query
  std::string body = {};
  std::string authorization = {}, api_key = {}, origin = {}, host = {};  // headers; api_key: x-api-key
  std::string wanted_headers = {};                                       // Access-Control-Request-Headers
  std::function<bool()> is_connected = [] { return true; };  // whether the client still waits for the answer
};

// Gives the parts of a body one by one; an empty one is the end.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  virtual std::string next() = 0;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body;
  std::unique_ptr<BodyStream> stream;  // in place of a body
};

}  // namespace strata::serve
