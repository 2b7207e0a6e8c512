// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace strata::serve {

// A client's connection: reads with deadlines and limits. It owns its socket.
class Connection {
 public:
  // `stop`: a descriptor that can be read when the server stops.
  Connection(int socket, int stop);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Waits for the header of the next request, as long as kIdleTime for its first byte. False: there is none, as the
  // client is gone or slow, the server stops, or the header is too long. What is read is the header's text, its lines
  // but those that nobody here looks at, and the body as it comes.
  bool await_request();

  // At most `size` bytes of the request; 0 or less: there are no more, or not in time, or too many (is_too_large()).
  std::ptrdiff_t read(char* out, std::size_t size);
  bool is_too_large() const { return is_too_large_; }
  bool is_late() const { return is_late_; }

  // All of it; false: the client is gone or doesn't take it.
  bool write(std::string_view data);

  // Whether the client still waits for an answer.
  bool is_connected() const;

  // No answer is to follow another one.
  void set_last() { is_last_ = true; }
  bool is_last() const { return is_last_; }

  // Ends the connection such that the client can read what was written, also where it has sent more than was read.
  void close();

 private:
  using Clock = std::chrono::steady_clock;

  bool wait(short events, Clock::time_point until, bool heeds_stop) const;
  bool fill(Clock::time_point until, bool heeds_stop);

  int socket_, stop_;
  std::string received_;     // that was not read yet
  std::size_t begin_ = 0;    // of it
  std::size_t left_ = 0;     // bytes that a request may still have
  Clock::time_point until_;  // for the request
  bool is_too_large_ = false, is_late_ = false, is_last_ = false;
};

// The header without the lines that nobody here looks at, and that would cost much: Range is read by a regular
// expression, Accept-Encoding holds streams back, and of Content-Type there are bodies other than JSON. `header` ends
// with an empty line.
std::string kept_header(std::string_view header);

}  // namespace strata::serve
