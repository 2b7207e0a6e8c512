// SPDX-License-Identifier: Apache-2.0
#include "cli/failure.h"

#include <execinfo.h>
#include <unistd.h>

#include <cerrno>
#include <exception>

#include "base/allocation_failure.h"
#include "base/error.h"
#include "cli/signals.h"

#if defined(__has_feature)
#define STRATA_HAS_SANITIZER (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define STRATA_HAS_SANITIZER 0
#endif

namespace strata::cli {
namespace {

[[noreturn]] void on_terminate() {
  take_last_word();
  if (has_allocation_failed()) {
    FailureLine(kOutOfMemory, kMemoryRemedy).print();
    leave(static_cast<int>(ExitCode::kResource));
  }
  FailureLine("it ended unexpectedly", "this is a bug in strata, please report it").print();
  leave(static_cast<int>(ExitCode::kRuntime));
}

}  // namespace

FailureLine::FailureLine(std::string_view what, std::string_view remedy) noexcept {
  add("strata: error: ");
  add(what);
  if (!remedy.empty()) add("; ");
  add(remedy);
  text_[size_++] = '\n';
}

void FailureLine::add(std::string_view text) noexcept {
  for (const char c : text.substr(0, text_.size() - 1 - size_)) text_[size_++] = c == '\n' ? ' ' : c;
}

// There is nowhere to report that it fails.
void FailureLine::print() const noexcept {
  for (std::string_view rest = text(); !rest.empty();) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

void install_terminate_handler() {
  note_failed_allocations();
  std::set_terminate(on_terminate);
}

// The C library loads what it unwinds its own calls with when an exception first passes through one, such as that of
// std::call_once, and aborts where it has no memory for that.
void load_unwinder() {
  void* frame = nullptr;
  ::backtrace(&frame, 1);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !STRATA_HAS_SANITIZER
// Also for the constructors of the libraries, which run before main() and allocate. A sanitizer is not there so early.
[[gnu::section(".preinit_array"), gnu::used]] void (*const install_before_libraries)() = install_terminate_handler;
#endif

}  // namespace strata::cli
