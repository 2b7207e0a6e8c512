// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"
#include "cli/failure.h"
#include "cli/rank_group.h"
#include "cli/signals.h"
#include "cli/standard_files.h"

int main(int argc, char** argv) {
  strata::cli::hold_closed_standard_files();
  strata::cli::install_terminate_handler();
  strata::cli::load_unwinder();
  strata::cli::install_signal_handlers();
  strata::cli::Console console;
  return strata::cli::run_ranks(console, [&] { return strata::cli::run_command_line(argc, argv, console); });
}
