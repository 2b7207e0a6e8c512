// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/words.h"
#include "cli/command.h"
#include "cli/explain_html.h"
#include "cli/explain_report.h"
#include "cli/explanation.h"
#include "cli/format.h"
#include "cli/mesh_html.h"
#include "cli/mesh_report.h"
#include "cli/model_source.h"
#include "cli/op_timing.h"
#include "cli/options.h"
#include "cli/path_roles.h"
#include "cli/random_feed.h"
#include "cli/steadiness.h"
#include "cli/usage_mistake.h"
#include "cli/version.h"
#include "compile/workload.h"
#include "machine/cpu.h"
#include "machine/native.h"
#include "package/package.h"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct ExplainOptions {
  ModelSource model;
  std::string op, html, dump, format = "md";
  std::int64_t rows = 1, nodes = 1;
  std::string machine = "native";
  int threads = 0;
  compile::Workload workload;
  double work = 1;
  std::vector<std::string> without;
  bool measure = false, verify = false;
};

// Enough for a median, and at least so long that a short step is measured often.
constexpr int kMinRepetitions = 7;
constexpr int kMaxRepetitions = 200;
constexpr auto kMeasuringTime = std::chrono::seconds(1);

// A package shows what it was made with; a model is planned again, which needs no toolchain, and tells the searches'
// times too.
plan::Plan plan_of(const ExplainOptions& options) {
  check_cache_type(options.model);
  if (package::Package::is_package(options.model.path)) return package_plan(options.model.path, options.verify);
  compile::CompileOptions compile_options;
  compile_options.machine = options.machine;
  compile_options.dump = options.dump;
  compile_options.threads = compile_options.team = options.threads;
  compile_options.workload = options.workload;
  compile_options.cache_type = options.model.cache_type;
  compile_options.work = options.work;
  compile_options.without = options.without;
  compile_options.explains = !options.html.empty() || options.format == "json";
  return compile::plan_model(options.model.path, compile_options).plan;
}

// The code that is measured must be that of the plan.
fs::path package_of(const ExplainOptions& options, plan::Plan& plan, Console& console) {
  auto path = compiled_package(console, options.model, options.threads, options.verify);
  auto packaged = package_plan(path);
  if (plan::to_json(packaged) != plan::to_json(plan)) plan = std::move(packaged);
  return path;
}

// One repetition's seconds per execution, by entry and id.
using Sample = std::map<std::string, std::vector<double>>;

Sample sample_of(const runtime::Profile& profile) {
  Sample sample;
  for (const auto& [symbol, entry] : profile.entries()) {
    for (const auto& [ns, count] : entry.ops) {
      sample[symbol].push_back(count == 0 ? -1 : static_cast<double>(ns) / 1e9 / static_cast<double>(count));
    }
  }
  return sample;
}

struct StepMeasurement {
  std::vector<Sample> samples;
  Steadiness steadiness;
};

StepMeasurement run_steps(runtime::Session& session, runtime::Profile& profile, std::int64_t rows) {
  RandomFeed feed(session);
  session.rewind(0);
  feed.at_once(rows);
  session.set_profile(&profile);
  StepMeasurement measurement;
  std::vector<double> seconds;
  const std::int64_t preempted = preemptions();
  const auto start = Clock::now();
  for (int i = 0; i < kMinRepetitions || (i < kMaxRepetitions && Clock::now() - start < kMeasuringTime); ++i) {
    profile.clear();
    session.rewind(0);
    const auto begin = Clock::now();
    feed.at_once(rows);
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    measurement.samples.push_back(sample_of(profile));
  }
  session.set_profile(nullptr);
  measurement.steadiness = steadiness_of(std::move(seconds), preemptions() - preempted);
  return measurement;
}

// The predictions beside it are of so many threads.
void measure(std::span<Explanation* const> steps, const plan::Plan& plan, const fs::path& package) {
  std::int64_t rows = 1;
  for (const Explanation* step : steps) rows = std::max(rows, step->rows);
  auto session = runtime::Session::open(package, {.threads = steps[0]->threads, .context = rows, .fixed_team = true});
  runtime::Profile profile = make_profile(plan);
  for (Explanation* step : steps) {
    const StepMeasurement measurement = run_steps(*session, profile, step->rows);
    step->repetitions = static_cast<int>(measurement.samples.size());
    step->disturbance = disturbance_text(measurement.steadiness);
    for (auto& op : step->ops) {
      std::vector<double> seconds;
      for (const auto& sample : measurement.samples) {
        double value = sample.at(op.symbol).at(static_cast<std::size_t>(op.op.id));
        if (value >= 0) seconds.push_back(value);
      }
      if (!seconds.empty()) op.measured_s = median(std::move(seconds));
    }
    summarise(*step);
  }
}

std::int64_t context_of(const fs::path& package) { return package::Package::open(package).manifest().max_context; }

void check_rows(const ExplainOptions& options, const fs::path& package) {
  const std::int64_t context = context_of(package);
  if (options.rows <= context) return;
  throw usage_error("-n " + std::to_string(options.rows) + " is more than the model's context of " +
                    std::to_string(context));
}

// Whose figures a plan has of the machine.
std::string figures_of(const ExplainOptions& options, const plan::Plan& plan) {
  const auto is = [&](const machine::Machine& machine) {
    return machine::to_json(machine) == machine::to_json(plan.machine);
  };
  if (options.machine != "native") return "those of the machine file " + options.machine;
  if (is(machine::native({}))) return "detected, and of the processor's kind; `strata calibrate` was not run";
  if (is(machine::native())) return "measured on this machine by `strata calibrate`";
  return "those that the package was planned with";
}

// Nothing that two runs on one machine tell differently.
std::vector<std::pair<std::string, std::string>> provenance(const ExplainOptions& options, const plan::Plan& plan,
                                                            const fs::path& package, int threads) {
  std::vector<std::pair<std::string, std::string>> rows = {
      {"model", fs::path(options.model.path).filename().string()},
      {"machine", plan.machine.name + (plan.machine.description.empty() ? "" : ": ") + plan.machine.description},
      {"its figures", figures_of(options, plan)},
      {"threads", std::to_string(threads)},
      {"strata", std::string(kVersion) + " (" + kBuildCommit + ")"}};
  if (!package.empty()) {
    const package::Package opened = package::Package::open(package);
    const package::Manifest& manifest = opened.manifest();
    rows.emplace_back("kind", manifest.model_type + ", " + manifest.architecture);
    rows.emplace_back("package", "made by " + manifest.producer + ", " + joined(manifest.options));
    rows.emplace_back("compiler", manifest.compiler);
  } else {
    rows.emplace_back("workload", compile::to_text(options.workload));
    rows.emplace_back("code", "none was made: the plan alone");
  }
  if (!options.without.empty()) rows.emplace_back("switched off", joined(options.without));
  return rows;
}

std::string source_of(const fs::path& package) {
  return package.empty() ? "" : std::string(package::Package::open(package).text(package::kSourceSection));
}

// Of the page's second step: those that -n says, or the workload's prompt, as far as a pass and the context take it.
std::int64_t prefill_rows(const ExplainOptions& options, const plan::Plan& plan, const fs::path& package) {
  if (options.rows > 1) return options.rows;
  const std::int64_t most = std::min(most_rows(plan), options.workload.prompt);
  return package.empty() ? most : std::min(most, context_of(package));
}

// Names are those of the package, which nobody vouches for.
std::string plain_lines(const std::string& text) {
  std::string out;
  for (const std::string_view line : split(text, '\n')) out += escape_controls(line) + "\n";
  return out;
}

// Of a model on several machines: how it is divided.
void explain_on_mesh(const CLI::App& command, const ExplainOptions& options, Console& console) {
  refuse_given(command, {"--op", "--rows", "--dump", "--without", "--time-limit", "--verify"},
               "has no meaning for a plan for devices", "leave it out, or name a single machine");
  if (package::Package::is_package(options.model.path)) {
    throw usage_error("a package was planned for one machine", "give the model that it was made from");
  }
  compile::CompileOptions compile_options;
  compile_options.machine = options.machine;
  compile_options.team = options.threads;
  compile_options.workload = options.workload;
  compile_options.cache_type = options.model.cache_type;
  compile_options.ranks = static_cast<int>(options.nodes);
  warn_of_threads(console, options.threads, options.machine);
  const MeshReport report = plan_for_mesh(options.model.path, compile_options, console);
  if (!options.html.empty()) write_file(options.html, mesh_html(report));
  console.out(options.format == "json" ? mesh_json(report) : mesh_md(report));
}

void explain(const CLI::App& command, const ExplainOptions& options, Console& console) {
  if (options.measure && options.machine != "native") {
    throw usage_error("--measure is of this machine, not of '" + options.machine + "'", "leave one of them out");
  }
  if (options.measure && options.nodes > 1)
    throw usage_error("--measure runs one process, not " + std::to_string(options.nodes), "leave one of them out");
  if (options.nodes > 1 || compile::is_planned_on_mesh(options.machine))
    return explain_on_mesh(command, options, console);
  auto plan = plan_of(options);
  fs::path package;
  const plan::SearchStats& stats = plan.stats;
  if (stats.is_limited) warn_of_limit(console, stats.stop_reason);
  if (options.measure) {
    package = package_of(options, plan, console);
    check_rows(options, package);
  }
  if (package.empty() && package::Package::is_package(options.model.path)) package = options.model.path;
  const int threads = options.threads > 0 ? options.threads : std::min(machine::allowed_threads(), plan.machine.cores);
  const std::string name = fs::path(options.model.path).filename().string();
  auto explanation = explain_plan(plan, name, options.rows, threads);
  if (!options.op.empty()) {
    auto checked = explanation;
    keep_only(checked, options.op);
  }
  // The page has both of decoding and prefill.
  std::optional<Explanation> other;
  if (!options.html.empty()) {
    const std::int64_t rows = options.rows == 1 ? prefill_rows(options, plan, package) : 1;
    if (rows != options.rows) other = explain_plan(plan, name, rows, threads);
  }
  if (options.measure) {
    std::vector<Explanation*> steps = {&explanation};
    if (other) steps.push_back(&*other);
    measure(steps, plan, package);
  }
  if (!options.html.empty()) {
    ExplainedModel model{{explanation}, source_of(package), provenance(options, plan, package, threads)};
    if (other) model.steps.insert(options.rows == 1 ? model.steps.end() : model.steps.begin(), *std::move(other));
    write_file(options.html, explanation_html(model));
  }
  if (!options.op.empty()) keep_only(explanation, options.op);
  console.out(options.format == "json" ? explanation_json(explanation)
                                       : plain_lines(explanation_md(explanation, !options.op.empty())));
}

}  // namespace

Action declare_explain(CLI::App& app, Console& console) {
  auto options = std::make_shared<ExplainOptions>();
  add_model_source(app, options->model);
  app.add_option("--op", options->op, "Only the op of this name, with all that is known of it");
  app.add_flag("--measure", options->measure, "Run the model and compare predicted with measured times");
  app.add_option("-n,--rows", options->rows, "Tokens of the step: 1 for decoding (default), 512 for prefill")
      ->check(integer_in(1));
  writes(app.add_option("--html", options->html, "Also write a page: why the model runs as fast as it does"));
  app.add_option("-o,--output", options->format, "Format: md or json")->check(one_of({"md", "json"}));
  reads(app.add_option("--machine", options->machine, "Machine to plan for: a name, a file, or native"));
  app.add_option("--nodes", options->nodes, "Processes that run it together, as mpirun -np N does")
      ->check(integer_in(1, 1024));
  add_threads(app, options->threads);
  add_workload(app, options->workload);
  app.add_option("--dump", options->dump, "Write the IR after each pass into this folder, of a model's folder");
  add_verify(app, options->verify);
  app.add_option("--without", options->without, "Switch a decision off by its name; may be given again")
      ->allow_extra_args(false);
  app.add_option("--time-limit", options->work, "Work that the searches may do, in parts of their own limits (1)")
      ->check(finite_above(0));
  return [&app, options, &console] { explain(app, *options, console); };
}

}  // namespace strata::cli
