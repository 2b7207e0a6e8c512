// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace strata::cli {

// Thrown where work stops because of SIGINT or SIGTERM; the process then exits with 128 + signal.
struct Interrupted {
  int signal;
};

// What a first SIGINT means: the end of the program (within kGraceSeconds even if nothing asks for it), or the end of
// the work at hand only, as in a chat. SIGTERM always means the end. A second signal ends the process at once.
enum class InterruptPolicy { kLeave, kStopWork };

inline constexpr double kGraceSeconds = 1.7;

// Installs the handlers of SIGINT and SIGTERM and ignores SIGPIPE (writes then fail with EPIPE). Remembers the
// terminal's mode, so that a forced exit can restore it.
void install_signal_handlers();
void set_interrupt_policy(InterruptPolicy policy);

// SIGINT, SIGTERM or 0.
int pending_signal();
void clear_pending_interrupt();

// Waits until `descriptor` can be read or a signal is pending, whichever thread the signal came to.
void wait_for_input(int descriptor);

// Throws Interrupted if a signal is pending.
void stop_if_interrupted();

}  // namespace strata::cli
