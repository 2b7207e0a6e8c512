// SPDX-License-Identifier: Apache-2.0
#include "serve/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>

#include "base/error.h"
#include "serve/limits.h"
#include "tests/serve/fake_model.h"

namespace strata::serve {
namespace {

using namespace std::chrono_literals;

class Client {
 public:
  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ = connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool is_connected() const { return is_connected_; }
  void send(const std::string& text) const { ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL); }
  void post(const std::string& path, const std::string& body) const {
    send("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body);
  }

  // What comes, up to this text or the end.
  std::string read_to(const std::string& text) const {
    std::string all;
    char byte = 0;
    while (!all.ends_with(text) && recv(socket_, &byte, 1, 0) == 1) all += byte;
    return all;
  }

 private:
  int socket_;
  bool is_connected_ = false;
};

class HttpServers : public testing::Test {
 protected:
  HttpServers() : model_(2, 4096), engine_(model_, demo_text(), 4, metrics_) {
    model_.before_step = [this](std::span<const Feed>) { std::this_thread::sleep_for(pause_.load()); };
  }

  FakeModel model_;
  std::atomic<std::chrono::milliseconds> pause_ = 0ms;
  Metrics metrics_;
  Engine engine_;
  Service service_{engine_, demo_text(), metrics_, {.model = "tiny", .api_keys = {}, .cors_origins = {}, .hosts = {}}};
};

const std::string kStream = R"({"prompt": "a", "max_tokens": 100, "temperature": 0, "stream": true})";

TEST_F(HttpServers, AnswersOneRequestAfterTheOther) {
  HttpServer server(service_, "127.0.0.1", 0);
  server.start();
  const Client client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_TRUE(client.read_to("}").starts_with("HTTP/1.1 200"));
    client.post("/v1/completions", R"({"prompt": "a", "max_tokens": 2})");
    EXPECT_TRUE(client.read_to("}}}").starts_with("HTTP/1.1 200"));
  }
}

TEST_F(HttpServers, StreamsThatHaveEndedAreWrittenToTheirEnds) {
  pause_ = 1ms;
  for (int i = 0; i < 5; ++i) {
    HttpServer server(service_, "127.0.0.1", 0);
    server.start();
    const Client client(server.port());
    client.post("/v1/completions", kStream);
    const std::string begin = client.read_to("data: ");
    server.stop();
    EXPECT_TRUE(begin.starts_with("HTTP/1.1 200"));
    EXPECT_TRUE(client.read_to("0\r\n\r\n").ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"));
  }
}

TEST_F(HttpServers, StopEndsIdleConnections) {
  HttpServer server(service_, "127.0.0.1", 0);
  server.start();
  const Client idle(server.port()), half(server.port());
  for (const Client* const client : {&idle, &half}) {
    client->send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_TRUE(client->read_to("}").starts_with("HTTP/1.1 200"));
  }
  half.send("GET /hea");
  const auto begin = std::chrono::steady_clock::now();
  server.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_EQ(idle.read_to("x"), "");
  EXPECT_FALSE(Client(server.port()).is_connected());
}

TEST_F(HttpServers, ClientsThatGoCancelTheirTexts) {
  pause_ = 1ms;
  HttpServer server(service_, "127.0.0.1", 0);
  server.start();
  for (int i = 0; i < 10; ++i) {
    const Client client(server.port());
    client.post("/v1/completions",
                R"({"prompt": "a", "max_tokens": 4000, "stream": )" + std::string(i % 2 == 0 ? "true}" : "false}"));
    if (i % 4 == 0) client.read_to("HTTP");  // of a stream
  }
  for (int i = 0; i < 1000 && engine_.load().running + engine_.load().waiting > 0; ++i) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(engine_.load().running + engine_.load().waiting, 0U);
}

TEST_F(HttpServers, BodiesTogetherAreLimited) {
  HttpServer server(service_, "127.0.0.1", 0);
  server.start();
  const auto ask = [&] {
    const Client client(server.port());
    client.post("/tokenize", R"({"content": "Hello"})");
    return client.read_to("}").substr(0, 200);
  };
  const auto await = [&](const std::string& status) {
    std::string answer;
    for (int i = 0; i < 1000 && !answer.starts_with(status); ++i) {
      answer = ask();
      std::this_thread::sleep_for(5ms);
    }
    return answer;
  };
  {
    std::vector<std::unique_ptr<Client>> slow;
    for (std::size_t held = 0; held < kMaxHeldBytes; held += kMaxBodyBytes) {
      slow.push_back(std::make_unique<Client>(server.port()));
      slow.back()->send("POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                        std::to_string(kMaxBodyBytes) + "\r\n\r\n" + std::string(kMaxBodyBytes - 1, ' '));
    }
    EXPECT_NE(await("HTTP/1.1 503").find("Retry-After: 1"), std::string::npos);
  }
  EXPECT_TRUE(await("HTTP/1.1 200").starts_with("HTTP/1.1 200"));
}

TEST_F(HttpServers, StreamsOfOldClientsEndWithTheConnection) {
  HttpServer server(service_, "127.0.0.1", 0);
  server.start();
  const Client client(server.port());
  client.send("POST /v1/completions HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nContent-Length: " +
              std::to_string(kStream.size()) + "\r\n\r\n" + kStream);
  const std::string answer = client.read_to("nothing ends with this");
  EXPECT_EQ(answer.find("Transfer-Encoding"), std::string::npos);
  EXPECT_NE(answer.find("\r\n\r\ndata: {"), std::string::npos) << answer.substr(0, 300);
  EXPECT_TRUE(answer.ends_with("}\n\ndata: [DONE]\n\n"));
}

TEST_F(HttpServers, ErrorsBeforeARequestAreLikeOthers) {
  HttpServer server(service_, "127.0.0.1", 0);
  server.start();
  for (const auto& [request, status] : std::vector<std::pair<std::string, std::string>>{
           {"GET /health HTTP/1.1\r\nA: " + std::string(9000, 'a') + "\r\n\r\n", "431"},
           {"GET /health HTTP/1.1\r\nA: " + std::string(40'000, 'a'), "431"},
           {"nonsense\r\n\r\n", "400"}}) {
    const Client client(server.port());
    client.send(request);
    const std::string answer = client.read_to("}}");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + status)) << answer;
    EXPECT_NE(answer.find(R"({"type":"error","error":{"message":")"), std::string::npos) << answer;
  }
}

TEST_F(HttpServers, PortIsTakenOnce) {
  const HttpServer first(service_, "127.0.0.1", 0);
  try {
    const HttpServer second(service_, "127.0.0.1", first.port());
    ADD_FAILURE() << "two servers share a port";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kResource);
  }
  EXPECT_THROW(HttpServer(service_, "192.0.2.1", 0), Error);
}

}  // namespace
}  // namespace strata::serve
