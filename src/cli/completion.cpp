// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/command_text.h"

namespace strata::cli {

Action declare_completion(CLI::App& app, Console& console) {
  auto shell = std::make_shared<std::string>();
  app.add_option("shell", *shell, "bash, zsh or fish")->required();
  return [shell, &app, &console] { console.out(completion_script(*app.get_parent(), *shell)); };
}

}  // namespace strata::cli
