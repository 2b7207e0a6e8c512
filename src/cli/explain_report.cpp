// SPDX-License-Identifier: Apache-2.0
#include "cli/explain_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/format.h"
#include "cli/md_table.h"

namespace strata::cli {
namespace {

using nlohmann::ordered_json;

// The best of the others, as a multiple of the chosen one: all of them at the sizes and on the threads that the
// search planned for.
std::string best_alternative(const plan::Op& op) {
  const auto chosen = std::ranges::find(op.alternatives, op.layout, &plan::Alternative::layout);
  const plan::Alternative* best = nullptr;
  for (const plan::Alternative& other : op.alternatives) {
    if (other.layout != op.layout && (best == nullptr || other.predicted_s < best->predicted_s)) best = &other;
  }
  if (best == nullptr || chosen == op.alternatives.end() || chosen->predicted_s <= 0) return "";
  return best->layout + ": x" + format_fixed(best->predicted_s / chosen->predicted_s, 2);
}

// "regions of layer (seq1): uct, 640 states, visits; 12.5 µs apart, 11.3 greedily, 11.1 found (at state 310)".
std::string region_text(const plan::RegionSearch& search) {
  std::string text = "regions of " + search.function + " (" + search.version + "): " + search.method + ", " +
                     std::to_string(search.states) + " states, stopped: " + search.stop_reason + "; " +
                     format_microseconds(search.before_s) + " µs apart, " + format_microseconds(search.greedy_s) +
                     " greedily, " + format_microseconds(search.after_s) + " found";
  if (!search.curve.empty()) text += " at state " + std::to_string(search.curve.back().states);
  return text;
}

std::string heading(const Explanation& explanation) {
  std::string rows = std::to_string(explanation.rows) + (explanation.rows == 1 ? " row" : " rows");
  std::string text = explanation.model + " on " + explanation.machine.name + ", " + rows + ", " +
                     std::to_string(explanation.threads) + (explanation.threads == 1 ? " thread" : " threads") +
                     ": predicted " + format_milliseconds(explanation.summary.predicted_s);
  text += " with " + std::to_string(explanation.summary.barriers) + " barriers";
  if (explanation.repetitions > 0) text += ", measured " + format_milliseconds(explanation.summary.measured_s);
  if (explanation.rows > 1) {
    text += "; decoding a token has " + std::to_string(explanation.barriers_per_token) + " barriers";
  }
  text += "\n" + search_text(explanation.stats) + "\n";
  for (const plan::RegionSearch& search : explanation.stats.regions) text += region_text(search) + "\n";
  if (explanation.stats.tuning) text += plan::to_text(*explanation.stats.tuning) + "\n";
  return text;
}

std::string op_table(const Explanation& explanation) {
  MdTable table;
  using Align = MdTable::Align;
  bool is_measured = explanation.repetitions > 0;
  table.column("op", Align::kLeft).column("kind", Align::kLeft).column("count").column("form", Align::kLeft);
  table.column("layout", Align::kLeft).column("predicted µs");
  if (is_measured) table.column("measured µs").column("error %");
  table.column("best alternative", Align::kLeft);
  for (const auto& [op, cost, symbol, version, measured_s] : explanation.ops) {
    std::string layout = op.placement.empty() ? op.layout : op.layout + " " + op.placement;
    std::vector<std::string> cells = {op.name, op.op,  std::to_string(op.count),
                                      op.form, layout, format_microseconds(cost.predicted_s)};
    if (is_measured) {
      double measured = measured_s.value_or(0);
      cells.push_back(measured_s ? format_microseconds(measured) : "");
      cells.push_back(measured > 0 ? format_fixed(100 * (cost.predicted_s - measured) / measured, 0) : "");
    }
    cells.push_back(best_alternative(op));
    table.row(std::move(cells));
  }
  return table.text();
}

std::string details_text(const ExplainedOp& explained) {
  const auto& op = explained.op;
  std::string text = "\n" + op.name + " = " + op.op + "(";
  for (std::size_t i = 0; i < op.operands.size(); ++i) text += (i == 0 ? "" : ", ") + op.operands[i];
  text += ") : " + op.type + "\n" + format_fixed(explained.cost.bytes / 1e6, 3) + " MB, " +
          format_fixed(explained.cost.flops / 1e6, 3) + " MFLOP per execution\n";
  if (op.is_view()) text += "a view: the memory of its operand, no code\n";
  if (op.alternatives.empty()) return text;
  MdTable table;
  table.column("weighed by the search", MdTable::Align::kLeft)
      .column("predicted µs (the workload's sizes and threads)");
  for (const auto& [layout, seconds] : op.alternatives) {
    table.row({layout == op.layout ? layout + " (chosen)" : layout, format_microseconds(seconds)});
  }
  return text + "\n" + table.text();
}

ordered_json or_null(std::optional<double> value) { return value ? ordered_json(*value) : ordered_json(); }

// The slowest ones: a search has a hundred.
std::string rule_table(const std::vector<plan::RuleStats>& rules) {
  constexpr std::size_t kShown = 12;
  MdTable table;
  table.column("rule", MdTable::Align::kLeft).column("matches").column("applications").column("e-nodes").column("ms");
  const std::vector<plan::RuleStats> sorted = by_time(rules);
  double rest_s = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const plan::RuleStats& rule = sorted[i];
    if (i >= kShown) {
      rest_s += rule.seconds;
      continue;
    }
    table.row({rule.name, std::to_string(rule.matches), std::to_string(rule.applications), std::to_string(rule.nodes),
               format_fixed(1e3 * rule.seconds, 2)});
  }
  if (sorted.size() <= kShown) return table.text();
  return table.text() + "\n" + std::to_string(sorted.size() - kShown) + " more rules matched, in " +
         format_fixed(1e3 * rest_s, 2) + " ms together (all of them: -o json, --html).\n";
}

ordered_json rules_json(const std::vector<plan::RuleStats>& rules) {
  auto list = ordered_json::array();
  for (const plan::RuleStats& rule : by_time(rules)) {
    list.push_back({{"name", rule.name},
                    {"matches", rule.matches},
                    {"applications", rule.applications},
                    {"nodes", rule.nodes},
                    {"seconds", rule.seconds}});
  }
  return list;
}

ordered_json regions_json(const std::vector<plan::RegionSearch>& searches) {
  auto list = ordered_json::array();
  for (const plan::RegionSearch& search : searches) {
    auto curve = ordered_json::array();
    for (const auto& [states, seconds] : search.curve) curve.push_back({{"states", states}, {"ns", seconds * 1e9}});
    list.push_back({{"function", search.function},
                    {"version", search.version},
                    {"method", search.method},
                    {"visits", search.visits},
                    {"states", search.states},
                    {"stop_reason", search.stop_reason},
                    {"before_ns", search.before_s * 1e9},
                    {"greedy_ns", search.greedy_s * 1e9},
                    {"after_ns", search.after_s * 1e9},
                    {"best_cost_curve", std::move(curve)}});
  }
  return list;
}

ordered_json tuning_json(const std::optional<plan::Tuning>& tuning) {
  if (!tuning) return nullptr;
  return {{"regions", tuning->regions},
          {"candidates", tuning->candidates},
          {"predicted", tuning->predicted},
          {"left", tuning->left}};
}

ordered_json second_round_json(const std::optional<plan::SecondRound>& round) {
  if (!round) return nullptr;
  return {{"first_ns", round->first_s * 1e9}, {"second_ns", round->second_s * 1e9}, {"is_kept", round->is_kept()}};
}

ordered_json stats_json(const plan::SearchStats& stats, std::int64_t barriers_per_token) {
  return {{"method", stats.method},
          {"egraph_nodes", stats.egraph_nodes},
          {"egraph_classes", stats.egraph_classes},
          {"stop_reason", stats.stop_reason},
          {"objective_ns", stats.objective_s * 1e9},
          {"bound_ns", stats.bound_s * 1e9},
          {"gap", stats.gap},
          {"saturate_s", or_null(stats.saturate_s)},
          {"extract_s", or_null(stats.extract_s)},
          {"barriers_per_token", barriers_per_token},
          {"regions", regions_json(stats.regions)},
          {"tuning", tuning_json(stats.tuning)},
          {"second_round", second_round_json(stats.second_round)},
          {"rules", rules_json(stats.rules)}};
}

ordered_json op_json(const ExplainedOp& explained, bool is_measured) {
  const auto& op = explained.op;
  ordered_json object = {{"name", op.name},
                         {"op", op.op},
                         {"function", op.function},
                         {"count", op.count},
                         {"barriers", op.barriers},
                         {"type", op.type},
                         {"operands", op.operands},
                         {"layout", op.layout},
                         {"placement", op.placement},
                         {"region", op.region},
                         {"tree", op.tree},
                         {"form", op.form},
                         {"bytes", explained.cost.bytes},
                         {"flops", explained.cost.flops},
                         {"predicted_ns", explained.cost.predicted_s * 1e9}};
  if (is_measured) {
    auto ns = explained.measured_s ? std::optional(*explained.measured_s * 1e9) : std::nullopt;
    object["measured_ns"] = or_null(ns);
  }
  auto alternatives = ordered_json::array();
  for (const auto& [layout, seconds] : op.alternatives) {
    alternatives.push_back({{"layout", layout}, {"predicted_ns", seconds * 1e9}});
  }
  object["alternatives"] = std::move(alternatives);
  return object;
}

ordered_json summary_json(const Explanation& explanation) {
  ordered_json summary = {{"predicted_ns", explanation.summary.predicted_s * 1e9},
                          {"barriers", explanation.summary.barriers}};
  if (explanation.repetitions == 0) return summary;
  summary["measured_ns"] = explanation.summary.measured_s * 1e9;
  summary["repetitions"] = explanation.repetitions;
  summary["disturbance"] = explanation.disturbance;
  const auto& accuracy = explanation.summary.accuracy;
  summary["median_relative_error"] = or_null(accuracy ? std::optional(accuracy->median_error) : std::nullopt);
  summary["rank_correlation"] = or_null(accuracy ? std::optional(accuracy->rank_correlation) : std::nullopt);
  return summary;
}

}  // namespace

std::vector<plan::RuleStats> by_time(std::vector<plan::RuleStats> rules) {
  std::ranges::sort(rules, {}, [](const plan::RuleStats& rule) { return std::pair(-rule.seconds, rule.name); });
  return rules;
}

std::string search_text(const plan::SearchStats& stats) {
  if (stats.egraph_nodes == 0) return "plan: " + stats.method + ", without an e-graph";
  std::string text = "plan: " + stats.method + "; e-graph of " + std::to_string(stats.egraph_nodes) + " nodes in " +
                     std::to_string(stats.egraph_classes) + " classes, stopped: " + stats.stop_reason;
  text += "; objective " + format_milliseconds(stats.objective_s) + ", bound " + format_milliseconds(stats.bound_s) +
          ", gap " + format_fixed(100 * stats.gap, 2) + " %";
  if (const auto& round = stats.second_round) {
    text += "; with what ops cost in regions another plan, " + std::string(round->is_kept() ? "kept" : "left") +
            ": the workload " + format_milliseconds(round->second_s) + " against " +
            format_milliseconds(round->first_s);
  }
  if (stats.saturate_s) text += "; saturated in " + format_fixed(*stats.saturate_s, 2) + " s";
  if (stats.extract_s) text += ", extracted in " + format_fixed(*stats.extract_s, 2) + " s";
  return text;
}

std::string explanation_md(const Explanation& explanation, bool details) {
  std::string text = heading(explanation) + "\n" + op_table(explanation);
  if (!explanation.views.empty()) {
    text += "\n" + std::to_string(explanation.views.size()) + " ops are views of other memory and take no time.\n";
  }
  if (const auto& accuracy = explanation.summary.accuracy) {
    text += "\nOver " + std::to_string(accuracy->ops) + " ops, medians of " + std::to_string(explanation.repetitions) +
            " runs: median relative error " + format_fixed(100 * accuracy->median_error, 1) + " %, rank correlation " +
            format_fixed(accuracy->rank_correlation, 3) + ".\n";
  }
  if (!explanation.disturbance.empty()) text += "\n" + explanation.disturbance + "\n";
  if (!details && !explanation.stats.rules.empty()) text += "\n" + rule_table(explanation.stats.rules);
  if (!details) return text;
  for (const auto* list : {&explanation.ops, &explanation.views}) {
    for (const auto& op : *list) text += details_text(op);
  }
  return text;
}

std::string explanation_json(const Explanation& explanation) {
  auto ops = ordered_json::array(), views = ordered_json::array();
  for (const auto& op : explanation.ops) ops.push_back(op_json(op, explanation.repetitions > 0));
  for (const auto& view : explanation.views) {
    views.push_back({{"name", view.op.name}, {"op", view.op.op}, {"type", view.op.type}});
  }
  auto arenas = ordered_json::array();
  for (const plan::ArenaMap& arena : explanation.arenas) {
    arenas.push_back({{"function", arena.function},
                      {"version", arena.version},
                      {"bytes", arena.bytes},
                      {"lower_bound", arena.lower_bound},
                      {"buffers", arena.buffers.size()}});
  }
  ordered_json document = {{"model", explanation.model},
                           {"machine", explanation.machine.name},
                           {"rows", explanation.rows},
                           {"threads", explanation.threads},
                           {"stats", stats_json(explanation.stats, explanation.barriers_per_token)},
                           {"summary", summary_json(explanation)},
                           {"ops", std::move(ops)},
                           {"views", std::move(views)},
                           {"arenas", std::move(arenas)}};
  return document.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace strata::cli
