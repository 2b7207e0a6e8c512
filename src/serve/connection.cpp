// SPDX-License-Identifier: Apache-2.0
#include "serve/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "serve/http_error.h"
#include "serve/limits.h"

namespace strata::serve {
namespace {

constexpr std::string_view kHeaderEnd = "\r\n\r\n";
constexpr std::size_t kReadBytes = 1 << 14;
constexpr std::chrono::milliseconds kLastTime{300};
// A body may come in chunks, each with a line of its own.
constexpr std::size_t kMostBytes = kMaxBodyBytes + kMaxBodyBytes / 8;

bool is_dropped(std::string_view line) {
  constexpr std::array<std::string_view, 3> kNames = {"range:", "accept-encoding:", "content-type:"};
  return std::ranges::any_of(kNames, [&](std::string_view name) {
    return line.size() >= name.size() && strncasecmp(line.data(), name.data(), name.size()) == 0;
  });
}

// Behind the first one, which is the request's.
bool has_long_line(std::string_view header) {
  std::size_t begin = header.find('\n') + 1;
  for (std::size_t end = header.find('\n', begin); end != std::string_view::npos; end = header.find('\n', begin)) {
    if (end - begin > kMaxHeaderLineBytes) return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

std::string kept_header(std::string_view header) {
  std::string kept;
  while (!header.empty()) {
    const std::size_t size = std::min(header.find('\n'), header.size() - 1) + 1;
    const std::string_view line = header.substr(0, size);
    header.remove_prefix(size);
    if (!is_dropped(line)) kept += line;
  }
  return kept;
}

Connection::Connection(int socket, int stop) : socket_(socket), stop_(stop) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Connection::~Connection() { ::close(socket_); }

// Whether the socket is ready before then, and, where that is heeded, before the server stops.
bool Connection::wait(short events, Clock::time_point until, bool heeds_stop) const {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    std::array<pollfd, 2> files = {{{socket_, events, 0}, {stop_, POLLIN, 0}}};
    const int ready = poll(files.data(), heeds_stop ? 2 : 1, static_cast<int>(std::max<std::int64_t>(0, left)));
    if (ready < 0 && errno == EINTR) continue;
    return ready > 0 && files[0].revents != 0;
  }
}

bool Connection::fill(Clock::time_point until, bool heeds_stop) {
  if (!wait(POLLIN, until, heeds_stop)) return false;
  if (begin_ == received_.size()) received_.clear(), begin_ = 0;
  const std::size_t before = received_.size();
  received_.resize(before + kReadBytes);
  const ssize_t count = recv(socket_, received_.data() + before, kReadBytes, MSG_DONTWAIT);
  received_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(0, count)));
  return count > 0;
}

bool Connection::await_request() {
  received_.erase(0, begin_);
  begin_ = 0;
  is_too_large_ = false;
  if (received_.empty() && !fill(Clock::now() + kIdleTime, true)) return false;
  until_ = Clock::now() + kHeaderTime;
  while (received_.find(kHeaderEnd) == std::string::npos) {
    if (received_.size() > kMaxHeaderBytes) {
      write(raw_response(ApiError(431, "the header has more than " + std::to_string(kMaxHeaderBytes) + " bytes")));
      return false;
    }
    if (fill(until_, true)) continue;
    if (Clock::now() >= until_) {
      write(raw_response(
          ApiError(408, "the header did not come within " + std::to_string(kHeaderTime.count()) + " seconds")));
    }
    return false;
  }
  const std::size_t size = received_.find(kHeaderEnd) + kHeaderEnd.size();
  if (has_long_line(std::string_view(received_).substr(0, size))) {
    write(raw_response(
        ApiError(431, "a line of the header has more than " + std::to_string(kMaxHeaderLineBytes) + " bytes")));
    return false;
  }
  const std::string kept = kept_header(std::string_view(received_).substr(0, size));
  received_.replace(0, size, kept);
  left_ = kept.size() + kMostBytes;
  until_ = Clock::now() + kBodyTime;
  return true;
}

std::ptrdiff_t Connection::read(char* out, std::size_t size) {
  if (left_ == 0) is_too_large_ = true;
  if (is_too_large_) return -1;
  if (begin_ == received_.size() && !fill(until_, false)) {
    is_late_ = Clock::now() >= until_;
    return -1;
  }
  const std::size_t count = std::min({size, received_.size() - begin_, left_});
  std::memcpy(out, received_.data() + begin_, count);
  begin_ += count;
  left_ -= count;
  return static_cast<std::ptrdiff_t>(count);
}

bool Connection::write(std::string_view data) {
  while (!data.empty()) {
    const ssize_t count = send(socket_, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) {
      data.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      // When the server stops, a client has less time.
      if (!wait(POLLOUT, Clock::now() + kWriteTime, true) && !wait(POLLOUT, Clock::now() + kLastTime, false)) {
        return false;
      }
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

// What it has sent ahead says nothing: only an end does.
bool Connection::is_connected() const {
  pollfd file = {socket_, POLLRDHUP, 0};
  return poll(&file, 1, 0) <= 0 || (file.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0;
}

// Closing a socket with unread bytes resets the connection, and the answer may be lost.
void Connection::close() {
  constexpr std::chrono::milliseconds kMostTime{200};
  constexpr int kMostReads = 64;
  shutdown(socket_, SHUT_WR);
  const Clock::time_point until = Clock::now() + kMostTime;
  begin_ = received_.size();
  for (int i = 0; i < kMostReads && fill(until, true); ++i) begin_ = received_.size();
}

}  // namespace strata::serve
