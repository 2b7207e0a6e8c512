// SPDX-License-Identifier: Apache-2.0
#include "serve/http_server.h"

#include <httplib.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/error.h"
#include "serve/answer_format.h"
#include "serve/byte_budget.h"
#include "serve/connection.h"
#include "serve/http_error.h"
#include "serve/limits.h"

namespace strata::serve {
namespace {

constexpr int kBacklog = 1024;
constexpr std::chrono::seconds kLastAnswers{1};  // that are being written when the server stops

// Of this thread: the connection whose requests it answers, and whether it is one too many.
thread_local Connection* current = nullptr;
thread_local bool is_overflow = false;

// As many files as the system lets this process have; leaves some for all else.
std::size_t most_connections() {
  constexpr rlim_t kOtherFiles = 64;
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kMaxConnections;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, kMaxConnections + kOtherFiles);
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur > 2 * kOtherFiles ? static_cast<std::size_t>(limit.rlim_cur - kOtherFiles) : kOtherFiles;
}

// A connection as httplib reads and writes it.
class ConnectionStream : public httplib::Stream {
 public:
  explicit ConnectionStream(Connection& connection) : connection_(connection) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return connection_.is_connected(); }
  ssize_t read(char* out, std::size_t size) override { return connection_.read(out, size); }
  ssize_t write(const char* data, std::size_t size) override {
    return connection_.write({data, size}) ? static_cast<ssize_t>(size) : -1;
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return 0; }  // not the real one: select() can't take large ones

 private:
  Connection& connection_;
};

// A thread for each connection.
class ConnectionThreads {
 public:
  explicit ConnectionThreads(std::size_t most) : most_(most) {}

  // False: there are as many as there may be.
  bool start(const std::function<void()>& serve) {
    const std::lock_guard lock(mutex_);
    if (running_ >= most_) return false;
    try {
      std::thread([this, serve] { run(serve); }).detach();
    } catch (const std::system_error&) {
      return false;
    }
    ++running_;
    return true;
  }

  // Until all have ended, or for so long.
  void wait(std::chrono::seconds time) {
    std::unique_lock lock(mutex_);
    is_done_.wait_for(lock, time, [&] { return running_ == 0; });
  }

  void wait() {
    std::unique_lock lock(mutex_);
    is_done_.wait(lock, [&] { return running_ == 0; });
  }

 private:
  void run(const std::function<void()>& serve) {
    serve();
    const std::lock_guard lock(mutex_);
    --running_;
    is_done_.notify_all();  // with the lock: whoever waits may destroy this then
  }

  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable is_done_;
  std::size_t running_ = 0;
};

// Gives httplib's connections their threads. What is one too many is told so by the thread that accepts.
class ConnectionQueue : public httplib::TaskQueue {
 public:
  explicit ConnectionQueue(ConnectionThreads& threads) : threads_(threads) {}

  void enqueue(std::function<void()> serve) override {
    if (threads_.start(serve)) return;
    is_overflow = true;
    serve();
    is_overflow = false;
  }
  void shutdown() override { threads_.wait(); }

 private:
  ConnectionThreads& threads_;
};

void refuse_connection(int socket, bool is_stopping) {
  static const std::string kStopping = raw_response(ApiError(503, "the server is shutting down"));
  static const std::string kTooMany = raw_response(ApiError(503, "there are too many connections", "", "overloaded"));
  const std::string& answer = is_stopping ? kStopping : kTooMany;
  char ignored[4096];
  [[maybe_unused]] const ssize_t sent = send(socket, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  shutdown(socket, SHUT_WR);
  [[maybe_unused]] const ssize_t read = recv(socket, ignored, sizeof ignored, MSG_DONTWAIT);
  close(socket);
}

// httplib's server on connections of ours.
class Server : public httplib::Server {
 public:
  explicit Server(int stop) : stop_(stop) {}

  // httplib's own queue of connections that are not accepted yet is very short.
  void lengthen_backlog() { ::listen(svr_sock_, kBacklog); }

  void set_stopping() { is_stopping_ = true; }

 private:
  bool process_and_close_socket(socket_t socket) override {
    if (is_overflow || is_stopping_) {
      refuse_connection(socket, is_stopping_);
      return false;
    }
    Connection connection(socket, stop_);
    current = &connection;
    while (!is_stopping_ && connection.await_request() && answer_one(connection)) {
    }
    current = nullptr;
    connection.close();
    return true;
  }

  // Whether the connection goes on.
  bool answer_one(Connection& connection) {
    ConnectionStream stream(connection);
    bool is_closed = false;
    try {
      return process_request(stream, false, is_closed, nullptr) && !is_closed && !connection.is_last();
    } catch (const std::exception&) {  // no memory for the answer
      return false;
    }
  }

  const int stop_;
  std::atomic<bool> is_stopping_ = false;
};

HttpRequest request_of(const httplib::Request& given) {
  return {.method = given.method,
          .path = given.path,
          .body = {},
          .authorization = given.get_header_value("Authorization"),
          .api_key = given.get_header_value("x-api-key"),
          .origin = given.get_header_value("Origin"),
          .host = given.get_header_value("Host"),
          .wanted_headers = given.get_header_value("Access-Control-Request-Headers"),
          .is_connected = [connection = current] { return connection->is_connected(); }};
}

// Chunks came with HTTP/1.1: before, the end of the connection is the end of a stream.
void write_response(HttpResponse from, httplib::Response& to, bool knows_chunks = true) {
  to.status = from.status;
  for (const auto& [name, value] : from.headers) to.set_header(name, value);
  if (from.stream != nullptr && !knows_chunks) current->set_last();
  if (current->is_last()) to.set_header("Connection", "close");
  if (from.stream == nullptr) {
    to.set_content(from.body, from.content_type);
    return;
  }
  const std::shared_ptr<BodyStream> stream = std::move(from.stream);
  const auto write = [stream](std::size_t, httplib::DataSink& sink) {
    const std::string part = stream->next();
    if (!part.empty()) return sink.write(part.data(), part.size());
    sink.done();
    return true;
  };
  if (knows_chunks) {
    to.set_chunked_content_provider(from.content_type, write);
  } else {
    to.set_content_provider(from.content_type, write);
  }
}

const char* message_of(int status) {
  switch (status) {
    case 413:
      return "the body is too large";
    case 414:
      return "the path is too long";
    default:
      return "the request line or a line of the header is malformed";
  }
}

void write_error(const ApiError& error, httplib::Response& to) {
  HttpResponse response;
  response.status = error.status();
  response.body = to_text(error.to_json());
  if (error.status() == 503) response.headers.emplace_back("Retry-After", "1");
  write_response(std::move(response), to);
}

// What is wrong with how the body comes, before any of it is read.
void check_body(const httplib::Request& request) {
  const bool is_chunked = request.has_header("Transfer-Encoding"), has_length = request.has_header("Content-Length");
  if (is_chunked && (has_length || strcasecmp(request.get_header_value("Transfer-Encoding").c_str(), "chunked") != 0)) {
    throw ApiError(400, "a body comes either with Content-Length or in chunks");
  }
  if (request.method == "POST" && !is_chunked && !has_length)
    throw ApiError(411, "the body's Content-Length is missing");
  if (request.get_header_value_count("Content-Length") > 1) throw bad_request("Content-Length is there twice");
  const std::string encoding = request.get_header_value("Content-Encoding");
  if (!encoding.empty() && encoding != "identity") throw ApiError(415, "send the body without Content-Encoding");
  const std::string length = request.get_header_value("Content-Length");
  if (length.find_first_not_of("0123456789") != std::string::npos) throw bad_request("Content-Length is no number");
  if (length.size() > 12 || (has_length && std::strtoull(length.c_str(), nullptr, 10) > kMaxBodyBytes)) {
    throw ApiError(413, "the body has more than " + std::to_string(kMaxBodyBytes) + " bytes");
  }
}

std::string read_body(const httplib::ContentReader& reader, ByteBudget::Share& share) {
  std::string body;
  bool has_room = true;
  const bool is_whole = reader([&](const char* data, std::size_t size) {
    has_room = share.grow(size);
    if (has_room) body.append(data, size);
    return has_room;
  });
  if (is_whole) return body;
  if (!has_room) throw ApiError(503, "the server holds too many large bodies: try again later", "", "overloaded");
  if (current->is_too_large()) throw ApiError(413, "the body is too large");
  if (current->is_late()) {
    throw ApiError(408, "the body did not come within " + std::to_string(kBodyTime.count()) + " seconds");
  }
  throw bad_request("the body is not whole, or its chunks are malformed");
}

}  // namespace

struct HttpServer::State {
  State(const Service& served, const std::string& host, int wanted)
      : service(served), threads(most_connections()), stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), server(stop) {
    configure();
    bind(host, wanted);
  }

  ~State() { close(stop); }

  void configure();
  void bind(const std::string& host, int wanted);
  httplib::Server::HandlerResponse before_routing(const httplib::Request& request, httplib::Response& response) const;
  void handle(const httplib::Request& request, httplib::Response& response, const httplib::ContentReader& reader);

  const Service& service;
  ByteBudget held{kMaxHeldBytes};
  ConnectionThreads threads;
  const int stop;  // an eventfd, readable when the server stops
  Server server;
  int port = 0;
  std::thread acceptor;
  std::atomic<bool> has_ended = false;  // the acceptor
};

// Two servers must not share a port, which httplib's own options would let them do.
void set_options(int socket) {
  const int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
}

void HttpServer::State::configure() {
  server.set_socket_options(set_options);
  server.new_task_queue = [this] { return new ConnectionQueue(threads); };
  server.set_keep_alive_timeout(kIdleTime.count());
  server.set_keep_alive_max_count(1'000'000);
  server.set_payload_max_length(kMaxBodyBytes);
  server.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
    return before_routing(request, response);
  });
  server.set_exception_handler([](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
    current->set_last();
    write_error(ApiError(500, "out of memory"), response);
  });
  // Errors that httplib finds have no body.
  server.set_error_handler(httplib::Server::Handler([](const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;
    current->set_last();
    if (current->is_too_large()) response.status = 413;
    write_error(ApiError(response.status, message_of(response.status)), response);
  }));
  const auto answer = [this](const httplib::Request& request, httplib::Response& response,
                             const httplib::ContentReader& reader) { handle(request, response, reader); };
  for (const std::string& path : service.paths()) {
    if (path.find_first_of("\\^$.|?*+()[]{}") != std::string::npos) continue;  // is handled before routing
    server.Post(path, answer);
  }
}

// All that has no body is answered here, and what must not be read any further. httplib finds paths by regular
// expressions.
httplib::Server::HandlerResponse HttpServer::State::before_routing(const httplib::Request& request,
                                                                   httplib::Response& response) const {
  using Outcome = httplib::Server::HandlerResponse;
  const bool has_body = request.has_header("Content-Length") || request.has_header("Transfer-Encoding");
  HttpRequest header = request_of(request);
  try {
    if (std::optional<HttpResponse> refusal = service.refuse(header); refusal) {
      if (has_body) current->set_last();
      write_response(std::move(*refusal), response);
      return Outcome::Handled;
    }
    check_body(request);
  } catch (const ApiError& error) {
    current->set_last();
    write_error(error, response);
    return Outcome::Handled;
  }
  if (request.method == "POST") return Outcome::Unhandled;
  if (has_body) current->set_last();
  write_response(service.handle(header), response);
  return Outcome::Handled;
}

void HttpServer::State::handle(const httplib::Request& request, httplib::Response& response,
                               const httplib::ContentReader& reader) {
  ByteBudget::Share share(held);
  try {
    HttpRequest whole = request_of(request);
    whole.body = read_body(reader, share);
    write_response(service.handle(whole), response, request.version != "HTTP/1.0");
  } catch (const ApiError& error) {
    current->set_last();
    write_error(error, response);
  }
}

void HttpServer::State::bind(const std::string& host, int wanted) {
  errno = 0;
  port = wanted;
  const bool is_bound = wanted == 0 ? (port = server.bind_to_any_port(host)) > 0 : server.bind_to_port(host, wanted);
  const int reason = errno;
  if (is_bound) return server.lengthen_backlog();
  const std::string at = host + ":" + std::to_string(wanted);
  if (reason == EADDRINUSE) {
    throw resource_error("the port is in use", at, "stop the other server, or give another --port (0: a free one)");
  }
  throw usage_error("can't listen on " + at + ": " + (reason == 0 ? "no such host" : std::strerror(reason)),
                    "give --host an address of this machine, such as 127.0.0.1, and another --port");
}

HttpServer::HttpServer(const Service& service, const std::string& host, int port)
    : state_(std::make_unique<State>(service, host, port)) {}

HttpServer::~HttpServer() { stop(); }

int HttpServer::port() const { return state_->port; }

void HttpServer::start() {
  state_->acceptor = std::thread([this] {
    state_->server.listen_after_bind();
    state_->has_ended = true;
  });
  // What doesn't run yet httplib doesn't stop.
  while (!state_->server.is_running() && !state_->has_ended) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void HttpServer::stop() {
  if (!state_->acceptor.joinable()) return;
  state_->server.set_stopping();
  [[maybe_unused]] const int written = eventfd_write(state_->stop, 1);
  state_->threads.wait(kLastAnswers);  // httplib cuts off what is being written when it stops
  state_->server.stop();
  state_->acceptor.join();
}

}  // namespace strata::serve
