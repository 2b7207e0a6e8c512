// SPDX-License-Identifier: Apache-2.0
#include "compile/compile.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/error.h"
#include "cli/command.h"
#include "cli/format.h"
#include "cli/md_table.h"
#include "cli/mesh_report.h"
#include "cli/model_source.h"
#include "cli/options.h"
#include "cli/path_roles.h"
#include "cli/plan_only.h"
#include "cli/progress.h"
#include "cli/usage_mistake.h"
#include "import/model_folder.h"
#include "package/package.h"
#include "tune/runner.h"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;

struct CompileCommandOptions {
  std::string model, output, dump;
  compile::CompileOptions compile;
  std::int64_t nodes = 1;
  bool is_plan_only = false;  // the output is a format's name
  double tune_s = 0;
};

void report(Console& console, const compile::CompileReport& report, bool verify) {
  auto size = static_cast<std::int64_t>(fs::file_size(report.package));
  warn_of_limit(console, report.search_limit);
  if (report.tuning) console.detail("strata: " + plan::to_text(*report.tuning));
  console.info("strata: " + report.package.string() + ", " + format_bytes(size) + " (" + describe(report) + ")");
  auto package = package::Package::open(report.package, verify);
  for (const auto& entry : package.manifest().entries) {
    console.info("strata: " + entry.symbol + ": arena peak " + format_bytes(entry.arena_bytes) + ", lower bound " +
                 format_bytes(entry.arena_lower_bound) + ", scratch of a thread " + format_bytes(entry.scratch_bytes));
  }
}

void check_format(const std::string& name) {
  const std::vector<std::string> formats = {"json", "md", "text"};
  if (name.empty() || std::ranges::count(formats, name) > 0) return;
  throw usage_error("with --plan-only -o names a format, and " + in_quotes(name.substr(0, 40)) + " is none",
                    "give json, md or text");
}

void plan_devices(const CLI::App& command, const CompileCommandOptions& options, Console& console) {
  refuse_given(command, {"--dump", "--without", "--time-limit", "--verify"}, "has no meaning for a plan for devices",
               "leave it out, or name a single machine");
  const MeshReport report = plan_for_mesh(options.model, options.compile, console);
  const bool is_md = options.output == "md";
  console.out(options.output == "json" ? mesh_json(report) : is_md ? mesh_md(report) : mesh_text(report));
}

void plan_alone(const CLI::App& command, CompileCommandOptions& options, Console& console) {
  refuse_given(command, {"--tune"}, "runs code, and --plan-only makes none", "leave out one of them");
  const bool is_divided = options.nodes > 1 || compile::is_planned_on_mesh(options.compile.machine);
  if (is_divided) return plan_devices(command, options, console);
  options.compile.needs_weights = false;
  PlanOnlyReport report{{}, {}, options.compile.workload};
  {
    ProgressReport progress(console, "planning " + fs::path(options.model).filename().string());
    report.planned = compile::plan_model(options.model, options.compile,
                                         [&](std::string_view stage, double part) { progress.update(stage, part); });
  }
  report.model = importer::model_name(options.model);
  const compile::ModelPlan& planned = report.planned;
  if (!planned.warning.empty()) console.info("strata: warning: " + planned.warning);
  warn_of_limit(console, planned.search_limit);
  if (!planned.has_values) {
    console.info("strata: the model has no weights: planned without encodings that their values decide about");
  }
  const std::string text = options.output == "json" ? plan_only_json(report) : plan_only_text(report);
  console.out(options.output == "md" ? markdown(text) : text);
}

void make_package(CompileCommandOptions& options, Console& console) {
  const std::string& machine = options.compile.machine;
  if (compile::is_planned_on_mesh(machine)) {
    throw usage_error("no code is made for machine '" + machine + "', an accelerator or a mesh of several machines",
                      "add --plan-only, or name a single machine");
  }
  compile::CompileReport done;
  {
    ProgressReport progress(console, "compiling " + fs::path(options.model).filename().string());
    std::optional<tune::Runner> runner;
    if (options.tune_s > 0) {
      runner.emplace(options.tune_s, [&](double part) { progress.update("tuning", part); });
      options.compile.measure = [&](const compile::Contest& contest) { return runner->run(contest); };
    }
    done = compile::compile_to_file(options.model, options.output, options.compile,
                                    [&](std::string_view stage, double part) { progress.update(stage, part); });
  }
  warn(console, done);
  report(console, done, options.compile.verify);
}

void compile_model(const CLI::App& command, CompileCommandOptions& options, Console& console) {
  if (options.is_plan_only) {
    check_format(options.output);
    options.compile.ranks = static_cast<int>(options.nodes);
  } else if (options.nodes != 1) {
    throw usage_error("a package of several nodes is made by each of them",
                      "run the model with mpirun -np " + std::to_string(options.nodes) + ", or add --plan-only");
  } else if (options.output.empty()) {
    throw usage_error("--output is required", "name the package to write, or give --plan-only");
  }
  if (package::Package::is_package(options.model)) {
    throw model_error("this is compiled already", options.model, "give the model that it was made from");
  }
  options.compile.dump = options.dump;
  options.compile.team = options.compile.threads;
  warn_of_threads(console, options.compile.threads, options.compile.machine);
  if (options.is_plan_only) {
    plan_alone(command, options, console);
  } else {
    make_package(options, console);
  }
}

}  // namespace

Action declare_compile(CLI::App& app, Console& console) {
  auto options = std::make_shared<CompileCommandOptions>();
  auto& compile = options->compile;
  add_model(app, options->model)->description("Hugging Face folder or .gguf file");
  CLI::Option* const output = writes(
      app.add_option("-o,--output", options->output, "The package to write; with --plan-only: json, md or text"));
  app.add_flag_callback(
      "--plan-only",
      [options, output] {
        options->is_plan_only = true;
        output->type_name("FORMAT");
      },
      "Print what would be decided, without code or package; MODEL may be a folder with config.json alone");
  reads(app.add_option("--machine", compile.machine, "Machine to compile for: a name, a file, or native"));
  app.add_option(
         "--dtype", compile.dtype,
         "Type of the weights; keep: as in the model, quantised blocks as they are; q8, q4: quantise the matrices")
      ->check(one_of({"f32", "f16", "bf16", "keep", "q8", "q4"}));
  add_cache_type(app, compile.cache_type);
  app.add_option_function<std::string>(
         "--activations", [options](const std::string& how) { options->compile.exact_activations = how == "exact"; },
         "Rows that meet quantised weights: exact, or rounded to 8 bits where that is faster")
      ->check(one_of({"exact", "rounded"}))
      ->default_str("rounded");
  add_threads(app, compile.threads);
  add_workload(app, compile.workload);
  add_verify(app, compile.verify);
  app.add_option("--nodes", options->nodes, "With --plan-only: processes that run it together, as mpirun -np N does")
      ->check(integer_in(1, 1024));
  app.add_option("--without", compile.without, "Switch a decision off by its name; may be given again")
      ->allow_extra_args(false);
  app.add_option("--tune", options->tune_s, "Run the best few tiles of each product here, for so many seconds in all")
      ->check(finite_above(0));
  app.add_option("--dump", options->dump, "Write the IR after each pass and the generated C++ into this folder");
  app.add_option("--time-limit", compile.work, "Work that the searches may do, in parts of their own limits (1)")
      ->check(finite_above(0));
  return [&app, options, &console] { compile_model(app, *options, console); };
}

}  // namespace strata::cli
