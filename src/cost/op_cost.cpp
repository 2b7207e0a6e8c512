// SPDX-License-Identifier: Apache-2.0
#include "cost/op_cost.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cost/division.h"
#include "cost/leaf.h"
#include "cost/leaf_cost.h"
#include "cost/numbered_product.h"
#include "cost/row_units.h"
#include "cost/work_counter.h"

namespace strata::cost {
namespace {

// With the fastest number of parts.
OpCost split_cost(const Leaf& leaf, const ir::Op& op, std::span<const Operand> operands,
                  const ir::Attributes& attributes, const ir::TensorType& result, const machine::Machine& machine,
                  Run run) {
  const double tiles = attention_tiles(WorkCounter(op, operands, attributes, result, machine, run));
  const int barriers = run.barriers;
  std::optional<OpCost> best;
  for (const std::int64_t parts : split_candidates(tiles, std::clamp(run.threads, 1, machine.cores))) {
    run.parts = parts;
    run.barriers = barriers + (parts == 1 ? 0 : 1);
    OpCost cost = leaf_cost(leaf, op, operands, attributes, result, machine, run);
    if (!best || cost.seconds < best->seconds) best = std::move(cost);
  }
  return *best;
}

// Divided by columns alone, or by rows too where that is faster: with the fastest rows of a unit.
OpCost shared_cost(const Leaf& leaf, const ir::Op& op, std::span<const Operand> operands,
                   const ir::Attributes& attributes, const ir::TensorType& result, const machine::Machine& machine,
                   Run run) {
  const WorkCounter counter(op, operands, attributes, result, machine, run);
  const TiledProduct product = counter.tiled();
  run.tiles = counter.tiles();
  OpCost best = leaf_cost(leaf, op, operands, attributes, result, machine, run);
  const auto rows = static_cast<std::int64_t>(product.rows), tile = static_cast<std::int64_t>(product.row_tile);
  double least = (1 - kLeastRowGain) * best.seconds;
  for (const std::int64_t unit :
       row_units(rows, tile, leaf.few_tiles * tile, pieces(counter, leaf), std::clamp(run.threads, 1, machine.cores))) {
    run.tiles->unit_rows = unit;
    OpCost cost = leaf_cost(leaf, op, operands, attributes, result, machine, run);
    if (cost.seconds >= least) continue;
    least = cost.seconds;
    best = std::move(cost);
  }
  return best;
}

}  // namespace

// What threads sum lies in memory that all reach; no copies are for it.
bool splits_reductions(const machine::Machine& machine) {
  return !machine.has_whole_reductions && machine::managed_level(machine) == nullptr;
}

std::vector<std::int64_t> split_candidates(double tiles, int threads) {
  constexpr int kMostEach = 4;
  std::vector<std::int64_t> found = {1};
  if (tiles < 1 || std::fmod(tiles, threads) == 0) return found;
  for (int each = 1; each <= kMostEach; ++each) {
    const auto parts = static_cast<std::int64_t>(threads * each / tiles);
    if (parts > found.back()) found.push_back(parts);
  }
  return found;
}

OpCost op_cost(const ir::Op& op, std::span<const Operand> operands, const ir::Attributes& attributes,
               const ir::TensorType& result, const machine::Machine& machine, const Run& run) {
  std::vector<ir::TensorType> types;
  for (const Operand& operand : operands) types.push_back(operand.type);
  const Leaf* const leaf = find_leaf(op, types, attributes, result);
  if (leaf == nullptr) return {std::numeric_limits<double>::infinity(), "no code"};
  return leaf_cost(*leaf, op, operands, attributes, result, machine, run);
}

OpCost leaf_cost(const Leaf& leaf, const ir::Op& op, std::span<const Operand> operands,
                 const ir::Attributes& attributes, const ir::TensorType& result, const machine::Machine& machine,
                 const Run& run) {
  if (leaf.domain == Leaf::Domain::kView) return {};
  const bool is_copied = machine::managed_level(machine) != nullptr;
  if (is_copied && !leaf.takes_copies) return {std::numeric_limits<double>::infinity(), "no copies"};
  if (leaf.domain == Leaf::Domain::kAttention && !run.parts && run.threads > 1 && splits_reductions(machine)) {
    return split_cost(leaf, op, operands, attributes, result, machine, run);
  }
  const bool may_share = leaf.domain == Leaf::Domain::kContraction && leaf.takes_blocks && !run.tiles && !run.pieces;
  if (may_share && run.threads > 1 && shares_rows(machine)) {
    return shared_cost(leaf, op, operands, attributes, result, machine, run);
  }
  if (leaf.domain == Leaf::Domain::kNumbered) {
    return numbered_cost(leaf, op, operands, attributes, result, machine, run);
  }
  WorkCounter counter(op, operands, attributes, result, machine, run);
  if (run.threads > 1) counter.divide(run.pieces ? *run.pieces : pieces(counter, leaf));
  leaf.count(counter);
  return counter.cost();
}

OpWork op_work(const ir::Op& op, std::span<const Operand> operands, const ir::Attributes& attributes,
               const ir::TensorType& result, const Sizes& sizes) {
  std::vector<ir::TensorType> types;
  for (const Operand& operand : operands) types.push_back(sized(operand.type, sizes));
  const ir::Work work = op.work(types, attributes, sized(result, sizes));
  return {work.flops, work.read_bytes + work.written_bytes};
}

OpCost copy_cost(const ir::TensorType& result, const machine::Machine& machine, const Run& run) {
  const double bytes = bytes_of(sized(result, run.sizes));
  const int level = machine::level_holding(machine, 2 * bytes, run.threads);
  machine::Work work;
  work.bytes.assign(machine.memory.size(), 0.0);
  work.written = work.bytes;
  work.bytes[static_cast<std::size_t>(level)] = bytes;
  work.written[static_cast<std::size_t>(level)] = bytes;
  work.starts = 1;
  work.threads = run.threads;
  work.barriers = run.barriers;
  return {machine::seconds(machine, work), machine.memory[static_cast<std::size_t>(level)].name};
}

OpWork copy_work(const ir::TensorType& result, const Sizes& sizes) { return {0, 2 * bytes_of(sized(result, sizes))}; }

}  // namespace strata::cost
