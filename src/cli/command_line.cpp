// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "cli/command.h"
#include "cli/failure.h"
#include "cli/hub_model.h"
#include "cli/options.h"
#include "cli/path_roles.h"
#include "cli/rank_group.h"
#include "cli/signals.h"
#include "cli/usage_mistake.h"
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
  writes(app.add_option("--log-file", options.log_file, "Append what is said to this file, with details"));
}

void apply(const CommonOptions& options, Console& console) {
  if (options.verbose) console.set_verbosity(Console::Verbosity::kVerbose);
  if (options.quiet) console.set_verbosity(Console::Verbosity::kQuiet);
  if (!options.log_file.empty()) console.set_log_file(options.log_file);
}

// The command that is called; nullptr: an option of the program itself. CLI11 would call an unknown command an
// unexpected argument.
const Command* called_command(int argc, const char* const* argv) {
  if (argc < 2) throw usage_error("no command given", "commands: " + command_names() + "; see strata --help");
  const std::string name = argv[1];
  if (name.starts_with("-")) return nullptr;
  const auto all = commands();
  const auto at = std::find_if(all.begin(), all.end(), [&](const Command& command) { return command.name == name; });
  if (at == all.end()) throw unknown_command(name);
  return &*at;
}

bool asks_for_help(std::span<const char* const> arguments) {
  return std::any_of(arguments.begin(), arguments.end(),
                     [](std::string_view argument) { return argument == "-h" || argument == "--help"; });
}

std::string joined_lines(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// Throws the usage_error of what can't be parsed. False: the answer was a help text or the version.
bool parse(CLI::App& app, const Command* called, std::span<const char* const> arguments, Console& console) {
  try {
    app.parse(static_cast<int>(arguments.size()), arguments.data());
    return true;
  } catch (const CLI::CallForHelp&) {
    console.out(app.help());
  } catch (const CLI::CallForAllHelp&) {
    console.out(app.help("", CLI::AppFormatMode::All));
  } catch (const CLI::CallForVersion& version) {
    console.out(std::string(version.what()) + "\n");
  } catch (const CLI::ParseError& error) {
    const std::string message = joined_lines(error.what());
    if (called == nullptr) {
      const auto unknown = app.remaining(true);
      throw usage_error(unknown.empty() ? message : "unexpected '" + unknown.front() + "'", "see strata --help");
    }
    throw parse_mistake(*called, *app.get_subcommand(called->name), arguments.subspan(2), message);
  }
  return false;
}

// llama.cpp's users write -np, which the parser takes for -n, where it should be --parallel.
std::vector<const char*> with_long_names(std::span<const char* const> given, const CLI::App& app) {
  std::vector<const char*> arguments(given.begin(), given.end());
  if (app.get_option_no_throw("--parallel") == nullptr) return arguments;
  for (const char*& argument : arguments) {
    if (argument == std::string_view("-np")) argument = "--parallel";
  }
  return arguments;
}

void parse_and_run(int argc, const char* const* argv, Console& console) {
  const Command* called = called_command(argc, argv);
  if (called != nullptr && !called->runs_ranks && RankGroup::current() != nullptr)
    throw usage_error(std::string(called->name) + " runs in one process", "leave out mpirun");
  const std::span<const char* const> given(argv, static_cast<std::size_t>(argc));
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
    // Another command's option of the same name may want other values.
    if (&command == called && !asks_for_help(given)) bind_environment(*subcommand);
    subcommand->callback([&action, declared] { action = declared; });
  }
  try {
    const CLI::App& calls = called == nullptr ? app : *app.get_subcommand(called->name);
    if (!parse(app, called, with_long_names(given, calls), console)) return;
    if (called != nullptr) refuse_overwriting(*app.get_subcommand(called->name));
    apply(common, console);
    if (called != nullptr) fetch_hub_models(*app.get_subcommand(called->name), console);
    action();
  } catch (const Error& error) {
    if (called == nullptr) throw;
    throw blame_environment(error, *app.get_subcommand(called->name));
  }
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
