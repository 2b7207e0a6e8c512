// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.h"

#include <algorithm>

#include "ir/cache_pages.h"

namespace strata::plan {
namespace {

Cost mix(const Cost& a, const Cost& b, double part) {
  const auto between = [part](double x, double y) { return x + part * (y - x); };
  return {between(a.flops, b.flops), between(a.bytes, b.bytes), between(a.predicted_s, b.predicted_s)};
}

// The interval of an axis that holds `value`, and where in it: node index and part in [0, 1].
std::pair<std::size_t, double> locate(const CostTable::Axis& axis, double value) {
  const auto& nodes = axis.nodes;
  const auto above = std::ranges::upper_bound(nodes, value, {}, [](std::int64_t n) { return static_cast<double>(n); });
  if (above == nodes.begin()) return {0, 0};
  const auto index = static_cast<std::size_t>(above - nodes.begin()) - 1;
  if (above == nodes.end()) return {index, 0};
  const auto first = static_cast<double>(nodes[index]);
  return {index, (value - first) / (static_cast<double>(*above) - first)};
}

Cost interpolate(const CostTable& table, const Sizes& sizes, std::size_t axis, std::size_t offset) {
  if (axis == table.axes.size()) return table.values[offset];
  const CostTable::Axis& along = table.axes[axis];
  const auto size = sizes.find(along.name);
  const double value = size == sizes.end() ? static_cast<double>(along.nodes.back()) : size->second;
  const auto [node, part] = locate(along, value);
  const std::size_t row = offset * along.nodes.size() + node;
  const Cost at_node = interpolate(table, sizes, axis + 1, row);
  return part == 0 ? at_node : mix(at_node, interpolate(table, sizes, axis + 1, row + 1), part);
}

}  // namespace

Cost CostTable::at(const Sizes& sizes) const { return interpolate(*this, sizes, 0, 0); }

const Entry* find_entry(const Plan& plan, std::string_view function, std::int64_t rows) {
  for (const Entry& entry : plan.entries) {
    const auto range = entry.ranges.find("seq");
    const bool admits = range == entry.ranges.end() || (range->second.min <= rows && rows <= range->second.max);
    if (admits && entry.function == function) return &entry;
  }
  return nullptr;
}

const Entry* find_entry(const Plan& plan, std::string_view symbol) {
  const auto found = std::ranges::find(plan.entries, symbol, &Entry::symbol);
  return found == plan.entries.end() ? nullptr : &*found;
}

Sizes sizes_of(double rows, double context, int threads) {
  return {{"seq", rows},
          {"ctx", context},
          {"pages", context / static_cast<double>(ir::kPageRows)},
          {kThreads, static_cast<double>(threads)}};
}

Sizes call_sizes(std::int64_t rows, std::int64_t position, int threads) {
  const auto count = static_cast<double>(rows);
  return sizes_of(count, static_cast<double>(position) + (count + 1) / 2, threads);
}

std::string to_text(const Tuning& tuning) {
  std::string text = "tuned " + std::to_string(tuning.regions) + " regions, " + std::to_string(tuning.candidates) +
                     " candidates: prediction had the fastest in " + std::to_string(tuning.predicted);
  if (tuning.left > 0) text += "; there was no time for " + std::to_string(tuning.left) + " more";
  return text;
}

}  // namespace strata::plan
