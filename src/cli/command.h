// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>

#include "cli/console.h"

namespace CLI {
class App;
}

namespace strata::cli {

using Action = std::function<void()>;

// A subcommand: `declare` adds its options to `app` and returns what it does once they are parsed. The action throws
// strata::Error, Interrupted or OutputClosed.
struct Command {
  const char* name;
  const char* summary;
  Action (*declare)(CLI::App& app, Console& console);
  const char* argument;     // what a second argument was probably meant as: "-p TEXT"; empty: nothing
  bool runs_ranks = false;  // several processes, that mpirun started, do it together
};

// Every subcommand, in the order of the help text.
std::span<const Command> commands();

// One declaration per file of the same name.
Action declare_run(CLI::App& app, Console& console);
Action declare_chat(CLI::App& app, Console& console);
Action declare_serve(CLI::App& app, Console& console);
Action declare_compile(CLI::App& app, Console& console);
Action declare_bench(CLI::App& app, Console& console);
Action declare_logits(CLI::App& app, Console& console);
Action declare_perplexity(CLI::App& app, Console& console);
Action declare_tokenize(CLI::App& app, Console& console);
Action declare_detokenize(CLI::App& app, Console& console);
Action declare_template(CLI::App& app, Console& console);
Action declare_pull(CLI::App& app, Console& console);
Action declare_list(CLI::App& app, Console& console);
Action declare_rm(CLI::App& app, Console& console);
Action declare_info(CLI::App& app, Console& console);
Action declare_calibrate(CLI::App& app, Console& console);
Action declare_explain(CLI::App& app, Console& console);
Action declare_opt(CLI::App& app, Console& console);
Action declare_help(CLI::App& app, Console& console);
Action declare_version(CLI::App& app, Console& console);
Action declare_completion(CLI::App& app, Console& console);

}  // namespace strata::cli
