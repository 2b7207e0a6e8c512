// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <system_error>

#include "base/error.h"
#include "cli/command.h"
#include "cli/failure.h"
#include "cli/options.h"
#include "cli/signals.h"
#include "cli/version.h"

namespace strata::cli {
namespace {

struct CommonOptions {
  bool verbose = false, quiet = false;
  std::string log_file;
};

std::string command_names() {
  std::string names;
  for (const Command& command : commands()) names += (names.empty() ? "" : ", ") + std::string(command.name);
  return names;
}

void add_common_options(CLI::App& app, CommonOptions& options) {
  app.add_flag("-v,--verbose", options.verbose, "Say more on standard error");
  app.add_flag("-q,--quiet", options.quiet, "Say nothing on standard error but errors")->excludes("--verbose");
  app.add_option("--log-file", options.log_file, "Append what is said to this file, with details");
}

void apply(const CommonOptions& options, Console& console) {
  if (options.verbose) console.set_verbosity(Console::Verbosity::kVerbose);
  if (options.quiet) console.set_verbosity(Console::Verbosity::kQuiet);
  if (!options.log_file.empty()) console.set_log_file(options.log_file);
}

// CLI11 would call an unknown command an unexpected argument.
void check_command_name(int argc, const char* const* argv) {
  if (argc < 2) throw usage_error("no command given", "commands: " + command_names() + "; see strata --help");
  std::string name = argv[1];
  if (name.starts_with("-")) return;
  auto all = commands();
  if (std::none_of(all.begin(), all.end(), [&](const Command& command) { return command.name == name; })) {
    throw usage_error("there is no command '" + name.substr(0, 40) + "'", "commands: " + command_names());
  }
}

std::string joined_lines(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

void parse_and_run(int argc, const char* const* argv, Console& console) {
  check_command_name(argc, argv);
  CLI::App app("Strata compiles large language models for one machine and runs them.", "strata");
  app.set_version_flag("--version", std::string("strata ") + kVersion);
  app.require_subcommand(1);
  CommonOptions common;
  Action action;
  for (const Command& command : commands()) {
    CLI::App* subcommand = app.add_subcommand(command.name, command.summary);
    subcommand->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    Action declared = command.declare(*subcommand, console);
    add_common_options(*subcommand, common);
    bind_environment(*subcommand);
    subcommand->callback([&action, declared] { action = declared; });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    console.out(app.help());
    return;
  } catch (const CLI::CallForAllHelp&) {
    console.out(app.help("", CLI::AppFormatMode::All));
    return;
  } catch (const CLI::CallForVersion& version) {
    console.out(std::string(version.what()) + "\n");
    return;
  } catch (const CLI::ParseError& error) {
    std::string message = joined_lines(error.what());
    // An option that doesn't exist is the likelier mistake than one that is missing.
    if (auto unknown = app.remaining(true); !unknown.empty()) message = "unexpected '" + unknown.front() + "'";
    std::string command = argv[1][0] == '-' ? "" : std::string(argv[1]) + " ";
    throw usage_error(message, "see strata " + command + "--help");
  }
  apply(common, console);
  action();
}

int fail(Console& console, ExitCode code, std::string_view what, std::string_view remedy = "") {
  console.failure(what, remedy);
  return static_cast<int>(code);
}

}  // namespace

int run_command_line(int argc, const char* const* argv, Console& console) {
  try {
    parse_and_run(argc, argv, console);
    console.flush();
    return static_cast<int>(ExitCode::kOk);
  } catch (const Error& error) {
    return fail(console, error.code(), error.what());
  } catch (const Interrupted& interrupted) {
    return 128 + interrupted.signal;
  } catch (const OutputClosed&) {
    return static_cast<int>(ExitCode::kResource);
  } catch (const std::bad_alloc&) {
    return fail(console, ExitCode::kResource, kOutOfMemory, kMemoryRemedy);
  } catch (const std::system_error& error) {
    return fail(console, ExitCode::kResource, error.what(), "check space, memory and permissions");
  } catch (const std::exception& error) {
    return fail(console, ExitCode::kRuntime, error.what(), "this is a bug in strata, please report it");
  }
}

}  // namespace strata::cli
