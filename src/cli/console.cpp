// SPDX-License-Identifier: Apache-2.0
#include "cli/console.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "cli/failure.h"
#include "cli/signals.h"

namespace strata::cli {
namespace {

constexpr std::size_t kBufferBytes = 1 << 16;

bool is_terminal(int descriptor) {
  const char* term = std::getenv("TERM");
  return isatty(descriptor) == 1 && term != nullptr && std::strcmp(term, "dumb") != 0;
}

// Of standard error and the log file: where failures are reported, and there is nowhere to report that it fails.
void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    ssize_t n = ::write(descriptor, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

void write_stderr(std::string_view text) { write_all(STDERR_FILENO, text); }

}  // namespace

Console::Console() : stdout_is_terminal_(is_terminal(STDOUT_FILENO)), stderr_is_terminal_(is_terminal(STDERR_FILENO)) {}

Console::~Console() { transient(""); }

void Console::set_log_file(const std::string& path) {
  log_file_ = FileDescriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!log_file_.is_open()) throw resource_error("can't open the log file", path, "choose a writable path");
}

void Console::out(std::string_view text) {
  transient("");
  buffer_.append(text);
  if (buffer_.size() >= kBufferBytes) flush();
}

void Console::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    ssize_t n = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) {
      stop_if_interrupted();
      continue;
    }
    if (n < 0 && errno == EAGAIN) {
      wait_for_output(STDOUT_FILENO);
      stop_if_interrupted();
      continue;
    }
    if (n < 0) {
      int error = errno;
      buffer_.clear();
      if (error == EPIPE) throw OutputClosed{};
      throw resource_error("can't write the result: " + std::string(std::strerror(error)), "standard output",
                           "free space or redirect it elsewhere");
    }
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  buffer_.clear();
}

void Console::print_line(std::string_view line, bool visible) {
  if (visible) transient("");
  std::lock_guard lock(mutex_);
  std::string text = std::string(line) + "\n";
  if (visible) write_stderr(text);
  if (log_file_.is_open()) write_all(log_file_.get(), text);
}

void Console::failure(std::string_view what, std::string_view remedy) {
  transient("");
  const FailureLine line(what, remedy);
  std::lock_guard lock(mutex_);
  line.print();
  if (log_file_.is_open()) write_all(log_file_.get(), line.text());
}

void Console::info(std::string_view line) { print_line(line, !is_quiet()); }

void Console::detail(std::string_view line) { print_line(line, verbosity_ == Verbosity::kVerbose); }

void Console::transient(std::string_view text) {
  if (!stderr_is_terminal_ || is_quiet()) return;
  std::lock_guard lock(mutex_);
  if (text.empty() && !has_transient_) return;
  write_stderr("\r\033[K" + std::string(text));
  has_transient_ = !text.empty();
}

}  // namespace strata::cli
