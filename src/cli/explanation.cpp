// SPDX-License-Identifier: Apache-2.0
#include "cli/explanation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/saturating.h"
#include "plan/calls.h"

namespace strata::cli {
namespace {

void add_entry(Explanation& explanation, const plan::Entry& entry, const plan::Sizes& sizes) {
  for (const auto& op : entry.ops) {
    auto& list = op.is_view() ? explanation.views : explanation.ops;
    list.push_back({op, op.cost.at(sizes), entry.symbol, entry.version, std::nullopt});
  }
}

bool runs(const plan::Entry& entry, const std::string& version, const std::string& function) {
  return version == entry.version && std::ranges::find(entry.ops, function, &plan::Op::function) != entry.ops.end();
}

void add_arenas(Explanation& explanation, const plan::Entry& entry, const plan::Plan& plan) {
  for (const plan::ArenaMap& arena : plan.arenas) {
    if (runs(entry, arena.version, arena.function)) explanation.arenas.push_back(arena);
  }
}

// The searches for the regions of functions whose ops the entry executes.
void add_searches(Explanation& explanation, const plan::Entry& entry, const plan::SearchStats& stats) {
  for (const plan::RegionSearch& search : stats.regions) {
    if (runs(entry, search.version, search.function)) explanation.stats.regions.push_back(search);
  }
}

std::string names_of(const Explanation& explanation) {
  std::string names;
  for (const auto* list : {&explanation.ops, &explanation.views}) {
    for (const auto& op : *list) names += (names.empty() ? "" : ", ") + op.op.name;
  }
  return names;
}

// Ranks from 1; equal values share the mean of theirs.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
  std::vector<double> result(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
    for (std::size_t i = first; i <= last; ++i) result[order[i]] = static_cast<double>(first + last) / 2 + 1;
    first = last + 1;
  }
  return result;
}

double pearson(const std::vector<double>& a, const std::vector<double>& b) {
  auto n = static_cast<double>(a.size());
  double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n, mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

}  // namespace

std::int64_t most_rows(const plan::Plan& plan) {
  std::int64_t most = 0;
  for (const auto& entry : plan.entries) {
    auto range = entry.ranges.find("seq");
    if (entry.function == "forward" && range != entry.ranges.end()) most = std::max(most, range->second.max);
  }
  return most;
}

void summarise(Explanation& explanation) {
  Summary summary;
  std::vector<double> predicted, measured, errors;
  for (const auto& op : explanation.ops) {
    auto count = static_cast<double>(op.op.count);
    summary.predicted_s += op.cost.predicted_s * count;
    summary.barriers = saturating_sum(summary.barriers, saturating_product(op.op.barriers, op.op.count));
    if (!op.measured_s || *op.measured_s <= 0) continue;
    summary.measured_s += *op.measured_s * count;
    predicted.push_back(op.cost.predicted_s);
    measured.push_back(*op.measured_s);
    errors.push_back(std::abs(predicted.back() - measured.back()) / measured.back());
  }
  if (errors.size() >= 2) summary.accuracy = {errors.size(), median(errors), rank_correlation(predicted, measured)};
  explanation.summary = summary;
}

Explanation explain_plan(const plan::Plan& plan, const std::string& model, std::int64_t rows, int threads) {
  // Of a prompt's rows the last one is wanted.
  const auto* forward = plan::find_entry(plan, "forward_one", rows);
  if (forward == nullptr) forward = plan::find_entry(plan, "forward", rows);
  const auto* head = plan::find_entry(plan, "head", 1);
  if (forward == nullptr || head == nullptr) {
    throw usage_error("-n " + std::to_string(rows) + " is more than one pass takes",
                      "give 1 to " + std::to_string(most_rows(plan)));
  }
  Explanation explanation;
  explanation.model = model;
  explanation.machine = plan.machine;
  explanation.rows = rows;
  explanation.threads = threads;
  explanation.barriers_per_token = plan::barriers(plan::decoding_calls(plan, 1, 1, threads));
  explanation.stats = plan.stats;
  explanation.stats.regions.clear();
  add_searches(explanation, *forward, plan.stats);
  if (head->version != forward->version) add_searches(explanation, *head, plan.stats);
  for (const plan::Entry* entry : {forward, head}) add_arenas(explanation, *entry, plan);
  add_entry(explanation, *forward, plan::call_sizes(rows, 0, threads));
  add_entry(explanation, *head, plan::call_sizes(1, 0, threads));
  summarise(explanation);
  return explanation;
}

namespace {

// Whether a name is that of an op, or of one of those that a region computes ("layer.o_proj + add.o_proj"), with the
// function's name before it or without.
bool has_name(const plan::Op& op, std::string_view name) {
  const std::string function = op.function + ".";
  if (name.starts_with(function)) name.remove_prefix(function.size());
  std::string_view rest = op.name;
  if (rest.starts_with(function)) rest.remove_prefix(function.size());
  if (rest == name) return true;
  constexpr std::string_view kAnd = " + ";
  for (;;) {
    const std::size_t end = rest.find(kAnd);
    if (rest.substr(0, end) == name) return true;
    if (end == std::string_view::npos) return false;
    rest.remove_prefix(end + kAnd.size());
  }
}

}  // namespace

void keep_only(Explanation& explanation, std::string_view name) {
  std::string known = names_of(explanation);
  const auto is_other = [&](const ExplainedOp& op) { return !has_name(op.op, name); };
  std::erase_if(explanation.ops, is_other);
  std::erase_if(explanation.views, is_other);
  if (!explanation.ops.empty() || !explanation.views.empty()) return;
  throw usage_error("there is no op '" + std::string(name.substr(0, 40)) + "'", "ops: " + known);
}

double median(std::vector<double> values) {
  STRATA_CHECK(!values.empty(), "the median of nothing");
  std::ranges::sort(values);
  std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  STRATA_CHECK(a.size() == b.size(), "a rank correlation of lists of two lengths");
  return a.empty() ? 0 : pearson(ranks(a), ranks(b));
}

}  // namespace strata::cli
