// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"
#include "cli/signals.h"

int main(int argc, char** argv) {
  strata::cli::install_signal_handlers();
  strata::cli::Console console;
  return strata::cli::run_command_line(argc, argv, console);
}
