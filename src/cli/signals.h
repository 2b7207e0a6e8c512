// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace strata::cli {

// Thrown where work stops because of SIGINT, SIGTERM or SIGHUP; the process then exits with 128 + signal.
struct Interrupted {
  int signal;
};

// What a first SIGINT means: the end of the program (within kGraceSeconds even if nothing asks for it), or the end of
// the work at hand only, as in a chat. SIGTERM and SIGHUP always mean the end. A second signal ends the process at
// once.
enum class InterruptPolicy { kLeave, kStopWork };

inline constexpr double kGraceSeconds = 1.7;

// Installs the handlers of SIGINT, SIGTERM and SIGHUP (unless that is ignored, as under nohup), and ignores SIGPIPE and
// SIGXFSZ (writes then fail with EPIPE and EFBIG). A SIGBUS in a mapped file ends the process with one line that names
// the file, and exit code 1. Remembers the terminal's mode, so that leave() can restore it.
void install_signal_handlers();
void set_interrupt_policy(InterruptPolicy policy);

// Ends the process without unwinding: temporary files are removed, the terminal is as it was. Async-signal-safe.
[[noreturn]] void leave(int code);

// Before the line that says why: only the first thread comes back, since others may fail at the same moment, and one
// line is enough. Async-signal-safe.
void take_last_word();

// SIGINT, SIGTERM, SIGHUP or 0.
int pending_signal();
void clear_pending_interrupt();

// Waits until `descriptor` can be read or written, or a signal is pending, whichever thread the signal came to.
void wait_for_input(int descriptor);
void wait_for_output(int descriptor);

// Throws Interrupted if a signal is pending.
void stop_if_interrupted();

}  // namespace strata::cli
