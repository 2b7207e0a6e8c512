// SPDX-License-Identifier: Apache-2.0
#include "cli/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/temporary_path.h"

namespace strata::cli {
namespace {

std::atomic<int> pending = 0;
std::atomic<InterruptPolicy> interrupt_policy = InterruptPolicy::kLeave;
termios terminal_mode;
bool has_terminal = false;
int wake_up[2] = {-1, -1};  // a pipe: readable while a signal is pending

[[noreturn]] void leave_by(int signal) { leave(128 + signal); }

void install(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler =
      handler;  // no SA_RESTART: a blocked read or write returns, and the caller looks at pending_signal
  sigaction(signal, &action, nullptr);
}

void say(const char* text) { [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, strlen(text)); }

// Reading a mapped file fails beyond its end, or where the disk does. Any other cause is our own mistake: the same
// access then ends the process as it would have without a handler.
void on_bus_error(int signal, siginfo_t* info, void*) {
  const char* const path = mapped_file_at(info->si_addr);
  if (path == nullptr) {
    install(signal, SIG_DFL);
    return;
  }
  take_last_word();
  say("strata: error: the file was cut while it was in use, or can't be read, ");
  say(path);
  say("; make it whole and run again\n");
  leave(static_cast<int>(ExitCode::kRuntime));
}

void start_grace_period() {
  itimerval timer = {};
  timer.it_value.tv_sec = static_cast<time_t>(kGraceSeconds);
  timer.it_value.tv_usec = static_cast<suseconds_t>((kGraceSeconds - static_cast<double>(timer.it_value.tv_sec)) * 1e6);
  setitimer(ITIMER_REAL, &timer, nullptr);
}

void on_signal(int signal) {
  if (int first = pending.exchange(signal); first != 0) leave_by(signal);
  [[maybe_unused]] ssize_t written = write(wake_up[1], "", 1);
  if (signal != SIGINT || interrupt_policy == InterruptPolicy::kLeave) start_grace_period();
}

void on_grace_period_over(int) { leave_by(pending); }

// As nohup asks for.
bool is_ignored(int signal) {
  struct sigaction action = {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

void wait_for(int descriptor, short events) {
  pollfd files[] = {{descriptor, events, 0}, {wake_up[0], POLLIN, 0}};
  while (pending_signal() == 0 && poll(files, 2, -1) < 0 && errno == EINTR) {
  }
}

}  // namespace

void take_last_word() {
  static std::atomic_flag is_taken;
  if (!is_taken.test_and_set()) return;
  while (true) ::pause();
}

void leave(int code) {
  remove_temporary_files();
  if (has_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &terminal_mode);
  _exit(code);
}

void install_signal_handlers() {
  if (pipe2(wake_up, O_CLOEXEC | O_NONBLOCK) != 0) wake_up[0] = wake_up[1] = -1;
  has_terminal = tcgetattr(STDIN_FILENO, &terminal_mode) == 0;
  install(SIGINT, on_signal);
  install(SIGTERM, on_signal);
  if (!is_ignored(SIGHUP)) install(SIGHUP, on_signal);
  install(SIGALRM, on_grace_period_over);
  install(SIGPIPE, SIG_IGN);
  install(SIGXFSZ, SIG_IGN);
  struct sigaction bus_error = {};
  bus_error.sa_sigaction = on_bus_error;
  bus_error.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &bus_error, nullptr);
}

void set_interrupt_policy(InterruptPolicy policy) { interrupt_policy = policy; }

int pending_signal() { return pending; }

void clear_pending_interrupt() {
  int interrupt = SIGINT;
  if (!pending.compare_exchange_strong(interrupt, 0)) return;
  char byte;
  [[maybe_unused]] ssize_t n = read(wake_up[0], &byte, 1);
}

void wait_for_input(int descriptor) { wait_for(descriptor, POLLIN); }

void wait_for_output(int descriptor) { wait_for(descriptor, POLLOUT); }

void stop_if_interrupted() {
  if (int signal = pending_signal(); signal != 0) throw Interrupted{signal};
}

}  // namespace strata::cli
