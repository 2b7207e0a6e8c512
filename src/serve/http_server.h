// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "serve/service.h"

namespace strata::serve {

// The service on a TCP port: HTTP/1.1, a thread for each connection, with the limits of limits.h. A connection too many
// is told so and closed.
class HttpServer {
 public:
  // Binds the port; 0: a free one. Throws resource_error where it is taken, usage_error for a host that is none of this
  // machine's. The service must outlive the server.
  HttpServer(const Service& service, const std::string& host, int port);
  ~HttpServer();

  int port() const;

  // Begins to answer, on threads of its own.
  void start();

  // Takes no more connections and no more requests, and returns when all answers are given: what they wait for must
  // come to an end.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace strata::serve
