// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/command_text.h"
#include "cli/usage_mistake.h"

namespace strata::cli {
namespace {

struct HelpOptions {
  std::string command;
  bool man = false;
};

std::string help_text(const CLI::App& program, const HelpOptions& options) {
  if (options.man) return man_page(program);
  // program.help() would be that of the command that was called, which is this one.
  if (options.command.empty()) {
    return program.get_formatter()->make_help(&program, program.get_name(), CLI::AppFormatMode::Normal);
  }
  const auto found = program.get_subcommands([&](const CLI::App* app) { return app->get_name() == options.command; });
  if (found.empty()) throw unknown_command(options.command);
  return found.front()->help("strata");
}

}  // namespace

Action declare_help(CLI::App& app, Console& console) {
  auto options = std::make_shared<HelpOptions>();
  auto* command = app.add_option("command", options->command, "The command; without one: all of them");
  app.add_flag("--man", options->man, "Print the manual page strata(1), in troff")->excludes(command);
  return [options, &app, &console] { console.out(help_text(*app.get_parent(), *options)); };
}

}  // namespace strata::cli
