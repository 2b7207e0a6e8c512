// SPDX-License-Identifier: Apache-2.0
#include "vectorize/search.h"

#include <algorithm>

#include "rules/algebra.h"
#include "vectorize/layout_rules.h"
#include "vectorize/selection.h"

namespace strata::vectorize {
namespace {

using egraph::Rewrite;

// Merging a layer's matmuls is worth about 1e-4 of the objective; what is worth less than this nobody will notice.
constexpr double kExtractionGap = 1e-6;

std::vector<Rewrite> active_rules(rules::TensorGraph& tensors, const machine::Machine& machine,
                                  const std::set<std::string>& without) {
  std::vector<Rewrite> all;
  if (!without.contains("algebra")) all = rules::algebra_rules(tensors);
  if (!without.contains("vectorize")) {
    for (Rewrite& rule : layout_rules(tensors, machine)) all.push_back(std::move(rule));
  }
  std::erase_if(all, [&](const Rewrite& rule) { return without.contains(rule.name); });
  return all;
}

// A share of a limit.
template <class Count>
Count scaled(Count limit, double work) {
  constexpr double kMost = 1e15;
  return static_cast<Count>(std::min(kMost, static_cast<double>(limit) * work));
}

egraph::RunnerLimits saturation_limits(const SearchOptions& options) {
  return {scaled(options.limits.iterations, options.work), scaled(options.limits.nodes, options.work),
          scaled(options.limits.steps, options.work)};
}

plan::SearchStats stats_of(const egraph::RunReport& saturation, const extract::Solution& solution) {
  plan::SearchStats stats;
  stats.method = extract::method_name(solution.method);
  stats.egraph_nodes = static_cast<std::int64_t>(saturation.nodes);
  stats.egraph_classes = static_cast<std::int64_t>(saturation.classes);
  stats.is_limited = saturation.stop_reason != egraph::StopReason::kSaturated || solution.is_limited;
  stats.stop_reason = egraph::to_string(saturation.stop_reason);
  if (solution.is_limited) stats.stop_reason += "; extraction: work limit";
  stats.objective_s = solution.objective;
  stats.bound_s = solution.bound;
  stats.gap = solution.gap;
  stats.saturate_s = saturation.seconds();
  stats.extract_s = solution.seconds;
  for (const egraph::RuleReport& rule : saturation.rules) {
    if (rule.matches == 0) continue;
    stats.rules.push_back({rule.name, static_cast<std::int64_t>(rule.matches),
                           static_cast<std::int64_t>(rule.applications), static_cast<std::int64_t>(rule.nodes),
                           rule.seconds});
  }
  return stats;
}

Extracted extracted(const ProgramGraph& program, const Selection& selection, plan::SearchStats stats) {
  Extracted result{{}, {}, std::move(stats)};
  for (const Version& version : program.versions()) {
    result.modules.push_back(rebuild(program, selection, version, result.alternatives.emplace_back()));
  }
  return result;
}

// The choice is then the one that is better by what ops cost in regions; false: it is the best already.
bool choose_in_regions(const ProgramGraph& program, const machine::Machine& machine, int threads,
                       Selection& selection) {
  const std::vector<int> first = selection.solution().choice;
  std::vector<int> second = Selection(program, machine, threads, Selection::Costs::kInRegions).improved(first);
  if (second == first) return false;
  selection.choose(std::move(second));
  return true;
}

}  // namespace

std::vector<std::string> search_names() {
  rules::TensorGraph tensors;
  std::vector<std::string> names = {"vectorize", "algebra", "exact", "joint"};
  for (const Rewrite& rule : rules::algebra_rules(tensors)) names.push_back(rule.name);
  const machine::Machine machine;
  for (const Rewrite& rule : layout_rules(tensors, machine)) names.push_back(rule.name);
  return names;
}

SearchResult search(std::vector<Version> versions, const machine::Machine& machine, const SearchOptions& options) {
  ProgramGraph program(std::move(versions), options.statistics);
  const std::vector<Rewrite> rules = active_rules(program.tensors(), machine, options.without);
  const egraph::RunReport saturation = egraph::run(program.tensors().graph(), rules, saturation_limits(options));
  Selection selection(program, machine, options.threads);
  selection.solve({.work = scaled(options.extraction_work, options.work),
                   .exact = !options.without.contains("exact"),
                   .relative_gap = kExtractionGap});
  const plan::SearchStats stats = stats_of(saturation, selection.solution());
  SearchResult result{extracted(program, selection, stats), saturation, std::nullopt};
  if (options.without.contains("joint")) return result;
  if (!choose_in_regions(program, machine, options.threads, selection)) return result;
  result.in_regions = extracted(program, selection, stats);
  plan::SearchStats& second = result.in_regions->stats;
  second.objective_s = selection.solution().objective;
  second.gap = (second.objective_s - second.bound_s) / second.objective_s;
  return result;
}

}  // namespace strata::vectorize
