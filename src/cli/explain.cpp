// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>

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
#include "cli/usage_mistake.h"
#include "machine/cpu.h"
#include "package/package.h"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct ExplainOptions {
  ModelSource model;
  std::string op, html, dump, format = "md";
  std::int64_t rows = 1;
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

std::vector<Sample> run_steps(runtime::Session& session, runtime::Profile& profile, std::int64_t rows) {
  RandomFeed feed(session);
  feed.at_once(rows);
  session.set_profile(&profile);
  std::vector<Sample> samples;
  const auto start = Clock::now();
  for (int i = 0; i < kMinRepetitions || (i < kMaxRepetitions && Clock::now() - start < kMeasuringTime); ++i) {
    profile.clear();
    session.rewind(0);
    feed.at_once(rows);
    samples.push_back(sample_of(profile));
  }
  session.set_profile(nullptr);
  return samples;
}

void measure(Explanation& explanation, const plan::Plan& plan, const fs::path& package) {
  // The predictions beside it are of so many threads.
  auto session = runtime::Session::open(
      package, {.threads = explanation.threads, .context = explanation.rows, .fixed_team = true});
  runtime::Profile profile = make_profile(plan);
  auto samples = run_steps(*session, profile, explanation.rows);
  explanation.repetitions = static_cast<int>(samples.size());
  for (auto& op : explanation.ops) {
    std::vector<double> seconds;
    for (const auto& sample : samples) {
      double value = sample.at(op.symbol).at(static_cast<std::size_t>(op.op.id));
      if (value >= 0) seconds.push_back(value);
    }
    if (!seconds.empty()) op.measured_s = median(std::move(seconds));
  }
  summarise(explanation);
}

void check_rows(const ExplainOptions& options, const fs::path& package) {
  std::int64_t context = package::Package::open(package).manifest().max_context;
  if (options.rows <= context) return;
  throw usage_error("-n " + std::to_string(options.rows) + " is more than the model's context of " +
                    std::to_string(context));
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
  warn_of_threads(console, options.threads, options.machine);
  const MeshReport report = plan_for_mesh(options.model.path, compile_options, console);
  if (!options.html.empty()) write_file(options.html, mesh_html(report));
  console.out(options.format == "json" ? mesh_json(report) : mesh_md(report));
}

void explain(const CLI::App& command, const ExplainOptions& options, Console& console) {
  if (options.measure && options.machine != "native") {
    throw usage_error("--measure is of this machine, not of '" + options.machine + "'", "leave one of them out");
  }
  if (compile::is_planned_on_mesh(options.machine)) return explain_on_mesh(command, options, console);
  auto plan = plan_of(options);
  fs::path package;
  const plan::SearchStats& stats = plan.stats;
  if (stats.is_limited) warn_of_limit(console, stats.stop_reason);
  if (options.measure) {
    package = package_of(options, plan, console);
    check_rows(options, package);
  }
  int threads = options.threads > 0 ? options.threads : std::min(machine::allowed_threads(), plan.machine.cores);
  auto explanation = explain_plan(plan, fs::path(options.model.path).filename().string(), options.rows, threads);
  if (!options.op.empty()) {
    auto checked = explanation;
    keep_only(checked, options.op);
  }
  if (options.measure) measure(explanation, plan, package);
  if (!options.html.empty()) write_file(options.html, explanation_html(explanation));
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
  writes(app.add_option("--html", options->html, "Also write a page with the plan and the roofline plot"));
  app.add_option("-o,--output", options->format, "Format: md or json")->check(one_of({"md", "json"}));
  reads(app.add_option("--machine", options->machine, "Machine to plan for: a name, a file, or native"));
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
