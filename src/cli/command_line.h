// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/console.h"

namespace strata::cli {

// Parses the command line, runs its command and returns the process's exit code (docs/cli.md). Every failure is
// caught here, once, and is one line on standard error.
int run_command_line(int argc, const char* const* argv, Console& console);

}  // namespace strata::cli
