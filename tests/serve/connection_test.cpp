// SPDX-License-Identifier: Apache-2.0
#include "serve/connection.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "serve/limits.h"

namespace strata::serve {
namespace {

class Connections : public testing::Test {
 protected:
  Connections() : stop_(eventfd(0, 0)) {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets_.data()), 0);
    connection_ = std::make_unique<Connection>(sockets_[0], stop_);
  }
  ~Connections() override {
    hang_up();
    close(stop_);
  }

  void send(std::string_view text) const {
    EXPECT_EQ(::send(sockets_[1], text.data(), text.size(), 0), std::ssize(text));
  }
  void hang_up() {
    if (sockets_[1] >= 0) close(sockets_[1]);
    sockets_[1] = -1;
  }

  std::string read(std::size_t size) const {
    std::string text(size, 0);
    const std::ptrdiff_t count = connection_->read(text.data(), size);
    return count < 0 ? "none" : text.substr(0, static_cast<std::size_t>(count));
  }

  std::array<int, 2> sockets_ = {};
  int stop_;
  std::unique_ptr<Connection> connection_;
};

TEST(KeptHeader, DropsWhatCostsMuch) {
  EXPECT_EQ(
      kept_header("GET / HTTP/1.1\r\nRange: bytes=0-\r\nA: b\r\nACCEPT-Encoding: gzip\r\nContent-Type: x\r\n\r\n"),
      "GET / HTTP/1.1\r\nA: b\r\n\r\n");
  EXPECT_EQ(kept_header("range"), "range");
  EXPECT_EQ(kept_header(""), "");
}

TEST_F(Connections, RequestsComeOneAfterTheOther) {
  send("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(connection_->await_request());
  EXPECT_EQ(read(19), "GET /a HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(connection_->await_request());
  EXPECT_EQ(read(8), "GET /b H");
}

TEST_F(Connections, ClientThatGoesIsNoRequest) {
  EXPECT_TRUE(connection_->is_connected());
  send("GET /a HT");
  hang_up();
  EXPECT_FALSE(connection_->is_connected());
  EXPECT_FALSE(connection_->await_request());
  while (connection_->write(std::string(1 << 20, 'x'))) {
  }
}

TEST_F(Connections, StopEndsTheWaiting) {
  std::thread stopper([&] { eventfd_write(stop_, 1); });
  EXPECT_FALSE(connection_->await_request());
  stopper.join();
}

TEST_F(Connections, HeaderHasALimit) {
  std::thread client([&] { send("GET /" + std::string(2 * kMaxHeaderBytes, 'a')); });
  EXPECT_FALSE(connection_->await_request());
  client.join();
  std::string answer(16, 0);
  EXPECT_EQ(recv(sockets_[1], answer.data(), answer.size(), 0), 16);
  EXPECT_EQ(answer, "HTTP/1.1 431 Req");
}

TEST_F(Connections, BodyHasALimit) {
  std::thread client([&] {
    send("POST / HTTP/1.1\r\n\r\n");
    const std::string part(1 << 20, 'x');
    while (::send(sockets_[1], part.data(), part.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  ASSERT_TRUE(connection_->await_request());
  std::size_t all = 0;
  for (std::string part = read(1 << 20); part != "none"; part = read(1 << 20)) all += part.size();
  EXPECT_TRUE(connection_->is_too_large());
  EXPECT_GT(all, kMaxBodyBytes);
  EXPECT_LT(all, 2 * kMaxBodyBytes);
  connection_.reset();
  client.join();
}

}  // namespace
}  // namespace strata::serve
