// SPDX-License-Identifier: Apache-2.0
#include "ranks/watch.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <span>

#include "base/error.h"

namespace strata::ranks {
namespace {

constexpr int kBeatMs = 1000;
constexpr int kConnectMs = 10000;

// Words of one byte. One that isn't known is none.
constexpr char kHere = 'h', kFarewell = 'f', kLost = 'l';

// A rank that hears nothing of rank 0 leaves the word to those before it, for so long each.
constexpr int kTurnMs = 300;

// Where rank 0 listens, and what a connection must begin with.
struct Meeting {
  std::array<char, 256> host = {};
  std::uint16_t port = 0;
  std::array<unsigned char, 16> secret = {};
};

// The first words of a connection.
struct Hello {
  std::array<unsigned char, 16> secret = {};
  std::int32_t rank = 0;
};

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

Error no_connection(const std::string& what) {
  return resource_error("the ranks can't watch each other: " + what + " (" + errno_text(errno) + ")", "",
                        "let them connect over TCP");
}

std::array<char, 256> host_name() {
  std::array<char, 256> name = {};
  ::gethostname(name.data(), name.size() - 1);
  return name;
}

// Whether all ranks are on one machine.
bool share_machine(Communicator& communicator) {
  const auto own = host_name();
  std::vector<std::array<char, 256>> all(communicator.rank() == 0 ? static_cast<std::size_t>(communicator.size()) : 0);
  communicator.gather(std::as_bytes(std::span(own)), std::as_writable_bytes(std::span(all)));
  char shares = 1;
  for (const auto& other : all) shares = static_cast<char>(shares && other == own);
  communicator.broadcast(std::as_writable_bytes(std::span(&shares, 1)));
  return shares != 0;
}

bool send_all(int connection, const void* data, std::size_t size) {
  return ::send(connection, data, size, MSG_NOSIGNAL) == static_cast<ssize_t>(size);
}

bool receive_all(int connection, void* data, std::size_t size, int wait_ms) {
  auto* to = static_cast<char*>(data);
  while (size > 0) {
    pollfd file{connection, POLLIN, 0};
    if (::poll(&file, 1, wait_ms) <= 0) return false;
    const ssize_t got = ::recv(connection, to, size, 0);
    if (got <= 0) return false;
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

void make_quick(int connection) {
  const int on = 1;
  ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

FileDescriptor listening(bool shares, Meeting& meeting) {
  FileDescriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(shares ? INADDR_LOOPBACK : INADDR_ANY);
  socklen_t size = sizeof address;
  auto* const at = reinterpret_cast<sockaddr*>(&address);
  const bool is_open = listener.is_open() && ::bind(listener.get(), at, size) == 0 &&
                       ::listen(listener.get(), SOMAXCONN) == 0 && ::getsockname(listener.get(), at, &size) == 0;
  if (!is_open) throw no_connection("rank 0 can't listen");
  meeting.host = shares ? std::array<char, 256>{"127.0.0.1"} : host_name();
  meeting.port = ntohs(address.sin_port);
  if (::getrandom(meeting.secret.data(), meeting.secret.size(), 0) != std::ssize(meeting.secret))
    throw no_connection("there are no random numbers");
  return listener;
}

FileDescriptor connected(const Meeting& meeting, int rank) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(meeting.port);
  if (::getaddrinfo(meeting.host.data(), port.c_str(), &hints, &found) != 0)
    throw no_connection("the name of rank 0's machine is not known here");
  FileDescriptor connection(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const bool is_connected = connection.is_open() && ::connect(connection.get(), found->ai_addr, found->ai_addrlen) == 0;
  ::freeaddrinfo(found);
  const Hello hello{meeting.secret, rank};
  if (!is_connected || !send_all(connection.get(), &hello, sizeof hello))
    throw no_connection("rank 0 can't be reached");
  make_quick(connection.get());
  return connection;
}

// Of one of the ranks; nothing of anybody else.
std::optional<int> rank_of(int connection, const Meeting& meeting, int size) {
  Hello hello;
  if (!receive_all(connection, &hello, sizeof hello, kBeatMs) || hello.secret != meeting.secret) return std::nullopt;
  return hello.rank > 0 && hello.rank < size ? std::optional(hello.rank) : std::nullopt;
}

}  // namespace

Watch::Watch(Communicator& communicator, Lost lost) : rank_(communicator.rank()), lost_(std::move(lost)) {
  connect(communicator);
  if (::pipe2(wake_up_, O_CLOEXEC) != 0) throw no_connection("no pipe");
  thread_ = std::thread([this] { run(); });
}

Watch::~Watch() {
  [[maybe_unused]] const ssize_t written = ::write(wake_up_[1], "", 1);
  thread_.join();
  say(kFarewell);
  ::close(wake_up_[0]);
  ::close(wake_up_[1]);
}

void Watch::tell_failure() { say(kLost); }

void Watch::connect(Communicator& communicator) {
  const bool shares = share_machine(communicator);
  Meeting meeting;
  FileDescriptor listener;
  if (rank_ == 0) listener = listening(shares, meeting);
  communicator.broadcast(std::as_writable_bytes(std::span(&meeting, 1)));
  if (rank_ != 0) {
    peers_.push_back({0, connected(meeting, rank_), now_s()});
    return;
  }
  while (std::ssize(peers_) + 1 < communicator.size()) {
    pollfd file{listener.get(), POLLIN, 0};
    if (::poll(&file, 1, kConnectMs) <= 0) throw no_connection("a rank doesn't connect");
    FileDescriptor connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.is_open()) continue;
    const auto rank = rank_of(connection.get(), meeting, communicator.size());
    if (!rank) continue;
    make_quick(connection.get());
    peers_.push_back({*rank, std::move(connection), now_s()});
  }
}

// A word that can't be sent isn't: who doesn't take it is found silent.
void Watch::say(char word, const Peer* except) {
  const std::lock_guard lock(saying_);
  for (const Peer& peer : peers_) {
    if (&peer != except) ::send(peer.connection.get(), &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
}

void Watch::lose(const Peer& peer, const std::string& how) {
  say(kLost, &peer);
  const std::string who = "rank " + std::to_string(peer.rank) + " ";
  if (rank_ > 1) ::poll(nullptr, 0, (rank_ - 1) * kTurnMs);
  lost_(who + how);
}

void Watch::hear(Peer& peer) {
  std::array<char, 64> words;
  const ssize_t got = ::recv(peer.connection.get(), words.data(), words.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    if (!peer.has_left) lose(peer, "has ended");
    const std::lock_guard lock(saying_);
    peer.connection = {};
    return;
  }
  peer.heard_s = now_s();
  for (const char word : std::span(words).first(static_cast<std::size_t>(got))) {
    if (word == kFarewell) peer.has_left = true;
    if (word == kLost) {
      say(kLost, &peer);
      lost_("");
    }
  }
}

void Watch::run() {
  double last_s = now_s(), said_s = 0;
  while (true) {
    std::vector<pollfd> files = {{wake_up_[0], POLLIN, 0}};
    for (const Peer& peer : peers_) files.push_back({peer.connection.get(), POLLIN, 0});
    ::poll(files.data(), files.size(), kBeatMs);
    if (files[0].revents != 0) return;
    const double now = now_s();
    // Where this process itself was held up, others had no chance to be heard.
    const bool was_held_up = now - last_s > 2 * kBeatMs / 1e3;
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      Peer& peer = peers_[i];
      if (files[i + 1].revents != 0) hear(peer);
      if (was_held_up) peer.heard_s = now;
      const bool is_silent = peer.connection.is_open() && !peer.has_left && now - peer.heard_s > kSilenceSeconds;
      if (is_silent) lose(peer, "doesn't answer any more");
    }
    last_s = now;
    if (now - said_s < kBeatMs / 1e3) continue;
    say(kHere);
    said_s = now;
  }
}

}  // namespace strata::ranks
