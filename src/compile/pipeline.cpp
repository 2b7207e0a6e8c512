// SPDX-License-Identifier: Apache-2.0
#include "compile/pipeline.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "base/atomic_file.h"
#include "base/error.h"
#include "compile/schedule_pass.h"
#include "ir/rewrite.h"
#include "ir/roles.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "schedule/op_cost.h"
#include "schedule/reduction_split.h"
#include "schedule/schedule_text.h"
#include "schedule/shared_rows.h"
#include "vectorize/own_result.h"
#include "vectorize/search.h"

namespace strata::compile {
namespace {

using codegen::PlannedVersion;
using vectorize::Version;

constexpr std::int64_t kMaxHeadRows = 64;

// The entry for rows of several sequences, and the most of these in a call: with more of a prompt's tokens than that
// the weights aren't what a call waits for.
constexpr const char* kForwardEach = "forward_each";
constexpr std::int64_t kManyRows = 64;

// Runs of what the workload doesn't have.
constexpr double kRare = 0.01;
constexpr std::int64_t kRareRows = 64;

// A version of its own for so few rows: what is left of a prompt, sequences side by side, tokens that were guessed.
constexpr std::int64_t kFewRows = 16;

// What it must be faster by, in parts, to be worth its code.
constexpr double kLeastGain = 0.01;

// A range of one value is a constant.
std::map<std::string, ir::SymbolValue> symbol_values(const Version& version) {
  std::map<std::string, ir::SymbolValue> values;
  for (const auto& [name, symbol] : version.symbols) {
    values[name] = symbol.min == symbol.max ? ir::SymbolValue(symbol.min) : ir::SymbolValue(symbol);
  }
  return values;
}

// Numbered files of one version: "seq1-02-egraph.ir".
class Dumper {
 public:
  Dumper(const PassContext& context, std::string tag) : folder_(context.dump), tag_(std::move(tag)) {}

  void write(const std::string& name, const std::string& text) {
    if (folder_.empty()) return;
    char number[8];
    std::snprintf(number, sizeof(number), "%02d-", ++written_);
    write_file(folder_ / (tag_ + "-" + number + name), text);
  }

 private:
  std::filesystem::path folder_;
  std::string tag_;
  int written_ = 0;
};

bool is_without(const PassContext& context, std::string_view name) {
  return std::ranges::find(context.without, name) != context.without.end();
}

// Of the function's own ops, at these sizes.
double own_seconds(const schedule::ScheduledFunction& function, const cost::Sizes& sizes, const PassContext& context) {
  double seconds = 0;
  for (const schedule::ScheduledOp& op : function.ops) {
    if (!op.is_call()) seconds += schedule::op_cost(op, context.machine, sizes, context.threads).seconds;
  }
  return seconds;
}

FusionOptions fusion_options(const PassContext& context) {
  FusionOptions options{.threads = context.threads, .keeps_losing = context.explains};
  if (is_without(context, "fuse")) options.fusion = Fusion::kNone;
  if (is_without(context, "each")) options.each = false;
  if (is_without(context, "order")) options.orders = false;
  if (is_without(context, "mcts")) options.search.method = search::Method::kGreedy;
  return options;
}

// What a step of the workload calls.
const std::vector<std::string>& entries_of(const Version& version, const vectorize::Step& step) {
  return step.entries.empty() ? version.entries : step.entries;
}

// The ops of the versions with their default trees, and what their functions count for in the search for regions.
class RegionSearches {
 public:
  RegionSearches(const std::vector<PlannedVersion>& planned, const PassContext& context)
      : context_(context),
        visits_left_(
            static_cast<std::int64_t>(static_cast<double>(kRegionVisits) * std::min(context.work, kMostWork))) {
    for (const PlannedVersion& version : planned) {
      functions_.push_back(schedule::default_schedule(version.module, context_.machine, context_.threads));
      fit_to_workload(version, functions_.back());
      weights_.push_back(weights_of(version, functions_.back()));
      weights_left_ += std::reduce(weights_.back().begin(), weights_.back().end());
    }
  }

  // Of the versions in their order.
  Schedule schedule_next() {
    FusionOptions options = fusion_options(context_);
    options.weights = weights_[next_];
    const double weight = std::reduce(options.weights.begin(), options.weights.end());
    options.search.visits = share(visits_left_, weight, weights_left_);
    Schedule schedule = schedule_functions(std::move(functions_[next_++]), context_.machine, options);
    weights_left_ -= weight;
    for (const plan::RegionSearch& search : schedule.regions) visits_left_ -= std::max(search.visits, search.states);
    visits_left_ = std::max<std::int64_t>(visits_left_, 0);
    return schedule;
  }

 private:
  static constexpr double kMostWork = 1e9;

  // What threads share is chosen for what the workload runs.
  void fit_to_workload(const PlannedVersion& planned, std::vector<schedule::ScheduledFunction>& functions) const {
    for (schedule::ScheduledFunction& function : functions) {
      std::vector<schedule::SizedRuns> runs;
      for (const vectorize::Step& step : planned.version.steps) {
        const double calls = ir::call_counts(planned.module, entries_of(planned.version, step)).at(function.function);
        if (calls > 0) runs.push_back({step.runs * calls, step.sizes});
      }
      schedule::split_reductions(function, runs, context_.machine, context_.threads);
      schedule::share_rows(function, std::move(runs), context_.machine, context_.threads);
    }
  }

  // The seconds that the workload spends in each function's own ops.
  std::vector<double> weights_of(const PlannedVersion& planned,
                                 const std::vector<schedule::ScheduledFunction>& functions) const {
    std::vector<double> weights = default_weights(functions, context_.machine);
    std::vector<double> seconds(weights.size());
    for (const vectorize::Step& step : planned.version.steps) {
      const auto calls = ir::call_counts(planned.module, entries_of(planned.version, step));
      for (std::size_t i = 0; i < weights.size(); ++i) {
        const double runs = step.runs * calls.at(functions[i].function);
        if (weights[i] > 0 && runs > 0) seconds[i] += runs * own_seconds(functions[i], step.sizes, context_);
      }
    }
    return seconds;
  }

  const PassContext& context_;
  std::int64_t visits_left_;
  double weights_left_ = 0;
  std::size_t next_ = 0;
  std::vector<std::vector<schedule::ScheduledFunction>> functions_;  // by version
  std::vector<std::vector<double>> weights_;                         // of them
};

// Each version's regions, trees and buffers.
void schedule_versions(std::vector<PlannedVersion>& planned, const PassContext& context) {
  RegionSearches searches(planned, context);
  for (PlannedVersion& version : planned) {
    Schedule schedule = searches.schedule_next();
    version.schedule = std::move(schedule.functions);
    version.buffers = std::move(schedule.buffers);
    version.stats.regions = std::move(schedule.regions);
    for (plan::RegionSearch& search : version.stats.regions) search.version = version.version.tag;
  }
}

void dump_schedule(const PlannedVersion& planned, const PassContext& context, Dumper& dumper) {
  if (context.dump.empty()) return;
  std::string buffer_text;
  for (const auto& function : planned.schedule) {
    buffer_text += buffer::to_text(planned.buffers.at(function.function));
  }
  dumper.write("schedule.txt", schedule::to_text(planned.schedule, context.machine));
  dumper.write("buffers.txt", buffer_text);
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Levenshtein's distance: insertions, deletions and exchanges of one letter.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t exchanged = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({exchanged, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

std::vector<std::string> nearest(const std::vector<std::string>& names, const std::string& wanted, std::size_t count) {
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const std::string& name : names) ranked.emplace_back(edit_distance(name, wanted), name);
  std::ranges::sort(ranked);
  std::vector<std::string> found;
  for (const auto& [distance, name] : ranked) {
    if (found.size() < count) found.push_back(name);
  }
  return found;
}

const ir::Symbol* find_symbol(const ir::Module& module, std::string_view name) {
  const auto found = std::ranges::find_if(module.symbols(), [&](const auto& symbol) { return symbol->name == name; });
  return found == module.symbols().end() ? nullptr : found->get();
}

// Sizes of a call of so many rows, which see so many tokens of their sequences.
cost::Sizes call_sizes(const ir::Module& module, std::int64_t rows, std::int64_t context) {
  cost::Sizes sizes = {{"seq", rows}, {"ctx", context}};
  const ir::Symbol* const ctx = find_symbol(module, "ctx");
  const ir::Symbol* const pages = find_symbol(module, "pages");
  // What a page holds, the caches are a multiple of.
  if (ctx != nullptr && pages != nullptr) {
    sizes["pages"] = std::clamp((context + ctx->multiple - 1) / ctx->multiple, pages->min, pages->max);
  }
  return sizes;
}

// The program's runs: whole chunks of every prompt, what is left of it, and the rows of all sequences for each token.
// Of a prompt the last row is wanted. The context is what a row sees of it on average.
std::vector<vectorize::Step> steps_of(const Workload& workload, std::int64_t chunk, const ir::Module& module) {
  std::vector<vectorize::Step> steps;
  const ir::Symbol* const ctx = find_symbol(module, "ctx");
  const auto add = [&](std::int64_t runs, std::int64_t rows, std::int64_t context, const char* entry) {
    const std::int64_t held = ctx == nullptr ? context : std::clamp(context, ctx->min, ctx->max);
    if (runs > 0) steps.push_back({static_cast<double>(runs), call_sizes(module, rows, held), {entry, "head"}});
  };
  const std::int64_t whole = workload.prompt / chunk;
  const std::int64_t rest = workload.prompt % chunk;
  const std::int64_t last = rest == 0 ? std::min<std::int64_t>(whole, 1) : 0;
  add((whole - last) * workload.batch, chunk, (whole - last) * chunk / 2, "forward_none");
  add(last * workload.batch, chunk, workload.prompt - chunk / 2, "forward_one");
  if (rest > 0) add(workload.batch, rest, workload.prompt - rest / 2, "forward_one");
  if (workload.generate > 0) {
    const bool is_each = workload.batch > 1 && module.find(kForwardEach) != nullptr;
    const std::int64_t rows = std::min(workload.batch, is_each ? std::min(chunk, kManyRows) : chunk);
    const std::int64_t runs = workload.generate * ((workload.batch + rows - 1) / rows);
    const std::int64_t seen = workload.prompt + workload.generate / 2;
    add(runs, rows, seen, is_each && rows > 1 ? kForwardEach : "forward");
    // A sequence is alone as often as it has company.
    if (is_each && rows > 1) add(workload.generate, 1, seen, "forward");
  }
  return steps;
}

// What the workload doesn't run is run a little.
void add_rare_step(Version& version, const ir::Module& module, std::int64_t context) {
  std::vector<std::string> entries = version.entries;
  for (const vectorize::Step& step : version.steps) {
    std::erase_if(entries, [&](const auto& name) { return std::ranges::count(step.entries, name) > 0; });
  }
  const std::int64_t rows = std::min(kRareRows, version.symbols.at("seq").max);
  if (!entries.empty()) version.steps.push_back({kRare, call_sizes(module, rows, context), std::move(entries)});
}

// Of a call of each entry, by the plan.
double planned_seconds(const PlannedVersion& planned, const std::vector<std::string>& entries, const cost::Sizes& sizes,
                       const PassContext& context) {
  const auto calls = ir::call_counts(planned.module, entries);
  double seconds = 0;
  for (const auto& function : planned.schedule) {
    const double runs = calls.at(function.function);
    if (runs > 0) seconds += runs * own_seconds(function, sizes, context);
  }
  return seconds;
}

// At powers of two of its rows; the times in parts of the spare's, on average.
double time_beside_spare(const PlannedVersion& planned, const PlannedVersion& spare, const PassContext& context,
                         std::string& report) {
  const Version& version = planned.version;
  const ir::Symbol& rows = version.symbols.at("seq");
  double sum = 0;
  int count = 0;
  for (std::int64_t n = rows.min; n <= rows.max; n *= 2, ++count) {
    cost::Sizes sizes = version.steps.front().sizes;
    sizes["seq"] = n;
    const double own = planned_seconds(planned, version.entries, sizes, context);
    const double other = planned_seconds(spare, version.entries, sizes, context);
    char line[80];
    std::snprintf(line, sizeof line, "%lld rows: %.1f us, %s %.1f us\n", static_cast<long long>(n), own * 1e6,
                  version.spare.c_str(), other * 1e6);
    report += line;
    sum += own / other;
  }
  return sum / count;
}

double workload_seconds(const std::vector<PlannedVersion>& planned, const PassContext& context) {
  double seconds = 0;
  for (const PlannedVersion& version : planned) {
    for (const vectorize::Step& step : version.version.steps) {
      seconds += step.runs * planned_seconds(version, entries_of(version.version, step), step.sizes, context);
    }
  }
  return seconds;
}

void take(vectorize::Extracted found, std::vector<PlannedVersion>& planned) {
  for (std::size_t i = 0; i < planned.size(); ++i) {
    planned[i].module = std::move(found.modules[i]);
    planned[i].alternatives = std::move(found.alternatives[i]);
    planned[i].stats = found.stats;
    ir::verify(planned[i].module);
  }
}

// The plan of the second round in place of the first one's, if it is the faster one.
void take_faster(vectorize::Extracted found, std::vector<PlannedVersion>& planned, const PassContext& context) {
  std::vector<PlannedVersion> second;
  for (const PlannedVersion& version : planned) second.emplace_back().version = version.version;
  take(std::move(found), second);
  schedule_versions(second, context);
  const plan::SecondRound round{workload_seconds(planned, context), workload_seconds(second, context)};
  if (round.is_kept()) planned = std::move(second);
  for (PlannedVersion& version : planned) version.stats.second_round = round;
}

vectorize::SearchOptions search_options(const PassContext& context) {
  vectorize::SearchOptions options;
  options.without.insert(context.without.begin(), context.without.end());
  options.statistics = context.statistics;
  options.work = context.work;
  options.threads = context.threads;
  if (is_without(context, "fuse")) options.without.insert("joint");
  return options;
}

// One module by itself, all its functions as entries.
ir::Module search_one(const ir::Module& module, const machine::Machine& machine, std::set<std::string> without) {
  std::vector<std::string> entries;
  const auto roles = ir::call_counts(module, {});
  for (const auto& function : module.functions()) {
    if (roles.at(function.get()) == 0) entries.push_back(function->name);
  }
  vectorize::SearchOptions options;
  options.without = std::move(without);
  auto result = vectorize::search({{"module", &module, entries}}, machine, options);
  return std::move(result.modules[0]);
}

}  // namespace

std::vector<Version> default_versions(const ir::Module& module, const Workload& workload) {
  const ir::Symbol* const seq = find_symbol(module, "seq");
  if (seq == nullptr) return {{"all"}};
  const auto up_to = [&](std::int64_t rows) { return ir::Symbol{"seq", 2, std::min(rows, seq->max), 1}; };
  std::vector<Version> all = {{"seq1", nullptr, {"forward", "head"}, {}, {{"seq", {"seq", 1, 1, 1}}}}};
  std::vector<std::string> forward = {"forward"};
  for (const char* entry : {"forward_one", "forward_none"}) {
    if (module.find(entry) != nullptr) forward.emplace_back(entry);
  }
  if (seq->max > kFewRows) all.push_back({"few", nullptr, forward, {}, {{"seq", up_to(kFewRows)}}, "chunk"});
  if (seq->max > 1) all.push_back({"chunk", nullptr, forward, {}, {{"seq", up_to(seq->max)}}});
  if (seq->max > 1 && module.find(kForwardEach) != nullptr) {
    const std::vector<std::string> each = {kForwardEach, "head"};
    all.push_back({"each", nullptr, each, {}, {{"seq", up_to(kFewRows)}}});
    if (seq->max > kFewRows) all.push_back({"mixed", nullptr, {kForwardEach}, {}, {{"seq", up_to(kManyRows)}}});
  }
  for (vectorize::Step& step : steps_of(workload, seq->max, module)) {
    const auto holds = [&](const Version& version) {
      const ir::Symbol& range = version.symbols.at("seq");
      const bool has_entry = std::ranges::count(version.entries, kForwardEach) > 0 == (step.entries[0] == kForwardEach);
      return has_entry && range.min <= step.sizes.at("seq") && step.sizes.at("seq") <= range.max;
    };
    const auto version = std::ranges::find_if(all, holds);
    const auto is_missing = [&](const std::string& name) { return std::ranges::count(version->entries, name) == 0; };
    if (is_missing(step.entries[0])) step.entries[0] = "forward";
    std::erase_if(step.entries, is_missing);
    version->steps.push_back(std::move(step));
  }
  std::erase_if(all, [](const Version& version) { return !version.spare.empty() && version.steps.empty(); });
  for (Version& version : all) add_rare_step(version, module, std::max<std::int64_t>(workload.prompt, 1));
  if (seq->max == 1) return all;
  const ir::Symbol rows = up_to(kMaxHeadRows);
  all.push_back({"rows", nullptr, {"head"}, {{kRare, {{"seq", rows.max}}}}, {{"seq", rows}}});
  return all;
}

void check_switch_names(const std::vector<std::string>& names) {
  if (names.empty()) return;
  const std::vector<std::string> groups = {"egraph", "vectorize", "algebra", "exact", "each",  "fuse", "grid",
                                           "joint",  "mcts",      "order",   "rows",  "split", "tiles"};
  const auto is_group = [&](const std::string& name) { return std::ranges::find(groups, name) != groups.end(); };
  std::vector<std::string> rules = vectorize::search_names();
  std::erase_if(rules, is_group);
  for (const std::string& name : names) {
    if (is_group(name) || std::ranges::find(rules, name) != rules.end()) continue;
    throw usage_error("nothing that can be switched off is called '" + name + "'",
                      "choose from " + joined(groups) + ", or a rule, such as " + joined(nearest(rules, name, 3)));
  }
}

std::vector<PlannedVersion> plan_versions(const ir::Module& module, std::vector<Version> versions,
                                          const PassContext& context) {
  std::vector<ir::Module> modules;
  std::vector<Dumper> dumpers;
  for (const Version& version : versions) {
    modules.push_back(ir::specialise(module, symbol_values(version)));
    dumpers.emplace_back(context, version.tag);
    dumpers.back().write("import.ir", context.dump.empty() ? "" : ir::to_text(modules.back()));
  }
  std::vector<PlannedVersion> planned;
  for (const Version& version : versions) planned.emplace_back().version = version;
  std::optional<vectorize::Extracted> in_regions;
  if (is_without(context, "egraph")) {
    for (std::size_t i = 0; i < modules.size(); ++i) planned[i].module = vectorize::with_own_results(modules[i]);
  } else {
    for (std::size_t i = 0; i < modules.size(); ++i) versions[i].module = &modules[i];
    vectorize::SearchResult found = vectorize::search(std::move(versions), context.machine, search_options(context));
    in_regions = std::move(found.in_regions);
    take(std::move(found), planned);
  }
  schedule_versions(planned, context);
  if (in_regions) take_faster(*std::move(in_regions), planned, context);
  for (std::size_t i = 0; i < planned.size(); ++i) {
    const bool is_searched = !is_without(context, "egraph");
    if (is_searched && !context.dump.empty()) dumpers[i].write("egraph.ir", ir::to_text(planned[i].module));
    dump_schedule(planned[i], context, dumpers[i]);
  }
  return planned;
}

void remove_slower_than_spare(std::vector<PlannedVersion>& planned, const PassContext& context) {
  for (std::size_t i = planned.size(); i-- > 0;) {
    const Version& version = planned[i].version;
    if (version.spare.empty()) continue;
    const auto spare =
        std::ranges::find_if(planned, [&](const auto& other) { return other.version.tag == version.spare; });
    STRATA_CHECK(spare != planned.end(), "there is no version " + version.spare);
    std::string report;
    const bool is_kept = time_beside_spare(planned[i], *spare, context, report) <= 1 - kLeastGain;
    if (!context.dump.empty())
      write_file(context.dump / (version.tag + "-spare.txt"), report + (is_kept ? "kept\n" : "left out\n"));
    if (!is_kept) planned.erase(planned.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

const std::vector<Pass>& passes() {
  static const std::vector<Pass> kPasses = {
      {"algebra", "the rules of algebra alone: cheaper expressions, matmuls that share an input merged",
       [](const ir::Module& module, const machine::Machine& machine) {
         return search_one(module, machine, {"vectorize"});
       }},
      {"vectorize", "the rules of layout alone: operands packed for vector lanes and dot-product units",
       [](const ir::Module& module, const machine::Machine& machine) {
         return search_one(module, machine, {"algebra"});
       }},
      {"egraph", "all rules in one e-graph, the cheapest plan extracted",
       [](const ir::Module& module, const machine::Machine& machine) { return search_one(module, machine, {}); }},
      {"schedule", "the module as it is, and its tile trees; a schedule behind the module replaces some of them",
       [](const ir::Module& module, const machine::Machine&) { return vectorize::with_own_results(module); }},
  };
  return kPasses;
}

void check_pass_names(const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const Pass& pass : passes()) known.emplace_back(pass.name);
  for (const std::string& name : names) {
    if (std::ranges::find(known, name) != known.end()) continue;
    throw usage_error("there is no pass '" + name + "'", "passes are: " + joined(known));
  }
}

}  // namespace strata::compile
