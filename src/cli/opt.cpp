// SPDX-License-Identifier: Apache-2.0
#include "compile/opt.h"

#include <memory>

#include "base/error.h"
#include "base/words.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/options.h"
#include "cli/path_roles.h"
#include "compile/pipeline.h"

namespace strata::cli {
namespace {

struct OptOptions {
  std::string file, passes, machine = "native";
  bool bisect = false;
};

std::vector<std::string> split_names(const std::string& names) {
  std::vector<std::string> list;
  for (const std::string_view name : split(names, ',')) {
    if (!name.empty()) list.emplace_back(name);
  }
  return list;
}

void bisect(const OptOptions& options, Console& console) {
  if (!options.passes.empty()) throw usage_error("--bisect tries all rules", "leave --passes out");
  const std::string origin = options.file == "-" ? "standard input" : options.file;
  const auto found = compile::bisect_text(read_input(options.file), origin, options.machine);
  console.out(found.text);
  if (!found.rule.empty()) {
    throw Error(ExitCode::kRuntime, "the rule '" + found.rule + "' makes the result wrong", origin,
                "the proof shows the step; --without " + found.rule + " leaves it out");
  }
}

std::string passes_help() {
  std::string text = "Passes to run, in order, such as a,b (default: egraph):";
  for (const compile::Pass& pass : compile::passes()) {
    text += "\n" + std::string(pass.name) + ": " + std::string(pass.what);
  }
  return text;
}

}  // namespace

Action declare_opt(CLI::App& app, Console& console) {
  auto options = std::make_shared<OptOptions>();
  reads(app.add_option("FILE", options->file, "IR in its text form; -: standard input"))->required();
  app.add_option("--passes", options->passes, passes_help());
  reads(app.add_option("--machine", options->machine, "Machine to plan for: a name, a file, or native"));
  app.add_flag("--bisect", options->bisect, "Find the rule that makes the result wrong, if one does");
  return [options, &console] {
    if (options->bisect) return bisect(*options, console);
    std::string origin = options->file == "-" ? "standard input" : options->file;
    console.out(
        compile::optimise_text(read_input(options->file), origin, split_names(options->passes), options->machine));
  };
}

}  // namespace strata::cli
