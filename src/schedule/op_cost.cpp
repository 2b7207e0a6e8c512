// SPDX-License-Identifier: Apache-2.0
#include "schedule/op_cost.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "cost/row_units.h"
#include "schedule/contraction_tree.h"
#include "schedule/region.h"
#include "schedule/view_plan.h"

namespace strata::schedule {
namespace {

using Kind = TileNode::Kind;

const TileNode* first_division(const std::vector<TileNode>& nodes) {
  for (const TileNode& node : nodes) {
    if (node.kind == Kind::kParallel || node.kind == Kind::kOnce || node.kind == Kind::kEach) return &node;
    if (const TileNode* const found = first_division(node.body)) return found;
  }
  return nullptr;
}

// The leaf of a contraction in register tiles, for this stage of a region, and the blocks around it, with `unit`
// columns for each step of n; false: there is none below.
bool find_tiles(const ScheduledOp& op, int stage, std::int64_t unit, const std::vector<TileNode>& nodes,
                cost::ProductTiles& tiles) {
  for (const TileNode& node : nodes) {
    if (node.kind == Kind::kCompute && node.leaf == op.leaf && node.stage == stage) {
      tiles.panels = node.panels;
      return true;
    }
    if (find_tiles(op, stage, unit, node.body, tiles) || find_tiles(op, stage, unit, node.otherwise, tiles)) {
      if (node.kind != Kind::kSerial && node.kind != Kind::kParallel) return true;
      const ir::IteratorClass of = op.contraction->classes[static_cast<std::size_t>(node.iterator)];
      if (node.kind == Kind::kParallel) {
        if (of == ir::IteratorClass::kM) tiles.unit_rows = node.step;
        return true;
      }
      if (of == ir::IteratorClass::kM) tiles.rows = node.step;
      if (of == ir::IteratorClass::kK) tiles.depth = node.step;
      if (of == ir::IteratorClass::kN) tiles.columns = node.step * unit;
      return true;
    }
  }
  return false;
}

// What no loop cuts is one block. Of a region: those of the product of that stage.
std::optional<cost::ProductTiles> tiles_of(const ScheduledOp& op, int stage = -1, std::int64_t unit = 1) {
  if (!op.contraction || !op.leaf->takes_blocks) return std::nullopt;
  const ir::TensorType& left = op.value->arguments[static_cast<std::size_t>(op.contraction->left)]->type();
  cost::ProductTiles tiles{1, left.shape[0].max(), left.shape[1].max(), 0};
  if (has_copies(op.tree.body)) tiles.columns = op.value->type().shape.back().max();
  return find_tiles(op, stage, unit, op.tree.body, tiles) ? std::optional(tiles) : std::nullopt;
}

// Of a part of a region, if it is a product.
std::optional<cost::ProductTiles> tiles_in(const ScheduledOp& region, std::size_t part) {
  const auto product = std::ranges::find(region.products, part, &ProductStage::part);
  if (product == region.products.end()) return std::nullopt;
  ScheduledOp op = product_part(region, *product);
  op.tree = region.tree;
  return tiles_of(op, product->stage, product->unit);
}

// Into which a tree divides a reduction.
std::int64_t parts_of(const TileTree& tree) {
  const TileNode* const split = find_split(tree.body);
  return split == nullptr ? 1 : split->parts;
}

cost::OpCost cost_alone(const ScheduledOp& op, std::span<const cost::Operand> operands, const machine::Machine& machine,
                        const cost::Run& run) {
  const ir::Expr& value = *op.value;
  if (op.copies_view) return cost::copy_cost(value.type(), machine, run);
  return cost::leaf_cost(*op.leaf, *value.op, operands, value.attributes, value.type(), machine, run);
}

cost::OpWork work_alone(const ScheduledOp& op, const cost::Sizes& sizes) {
  const ir::Expr& value = *op.value;
  if (op.copies_view) return cost::copy_work(value.type(), sizes);
  return cost::op_work(*value.op, op.sources, value.attributes, value.type(), sizes);
}

// The node that computes a stage, where there are cases of many rows and of few that for many; nullptr: none does.
const TileNode* find_for_many(const std::vector<TileNode>& nodes, int stage) {
  for (const TileNode& node : nodes) {
    if (node.kind == Kind::kCompute && node.stage == stage) return &node;
    if (const TileNode* const found = find_for_many(node.otherwise, stage)) return found;
    if (const TileNode* const found = find_for_many(node.body, stage)) return found;
  }
  return nullptr;
}

// Where a region keeps what one of its parts makes. What lies in memory that others read too was written just now.
int kept_at(const ScheduledOp& region, const ir::Expr* value) {
  const TileNode* const node = find_for_many(region.tree.body, stage_of(region, value));
  if (node == nullptr || node->in_lanes) return cost::kRegisters;
  if (node->buffer.empty()) return 0;
  const TileNode* const buffer = find_buffer(region.tree.body, node->buffer);
  return buffer == nullptr ? 0 : std::max(buffer->level, 0);
}

// The part that makes a value, looking through the views that are the same tensor; nullptr: none does.
const ir::Expr* made_in(const ScheduledOp& region, const ir::Expr* value) {
  while (!region.makes(value)) {
    const bool is_view = value->kind == ir::Expr::Kind::kOp && leaf_of(*value) != nullptr &&
                         leaf_of(*value)->domain == cost::Leaf::Domain::kView;
    if (!is_view) return nullptr;
    value = value->arguments[0];
  }
  return value;
}

// Units of its tree.
double pieces(const ScheduledOp& region, const cost::Sizes& sizes) {
  const std::int64_t unit = unit_rows(region);
  if (unit == 0) return units(region.tree, sizes);
  const TileNode* const columns = first_division(region.tree.body);
  const auto extent = [&](const TileNode& loop) {
    return extent_at(region.tree.iterators[static_cast<std::size_t>(loop.iterator)].extent, sizes);
  };
  return cost::row_unit_pieces(std::ceil(extent(*columns) / static_cast<double>(columns->step)),
                               extent(*divided_inside(*columns)), unit);
}

// One part of a region after another, without what they no longer move.
cost::OpCost region_cost(const ScheduledOp& region, const machine::Machine& machine, cost::Run run) {
  cost::OpCost sum;
  double longest = -1;
  run.pieces = pieces(region, run.sizes);
  for (const ScheduledOp& part : region.parts) {
    std::vector<cost::Operand> operands = part.sources;
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const ir::Expr* const made = made_in(region, part.value->arguments[i]);
      if (made == nullptr) continue;
      operands[i].residence = cost::Residence::kRegion;
      operands[i].level = kept_at(region, made);
    }
    run.tiles = tiles_in(region, static_cast<std::size_t>(&part - region.parts.data()));
    const bool stays = part.value != region.value && !is_in_memory(region, part.value);
    run.kept_at = stays ? std::optional(kept_at(region, part.value)) : std::nullopt;
    const cost::OpCost cost = cost_alone(part, operands, machine, run);
    sum.seconds += cost.seconds;
    if (cost.seconds > longest) sum.bound = cost.bound;
    longest = std::max(longest, cost.seconds);
    run.continues = true;
    run.barriers = 0;
  }
  return sum;
}

}  // namespace

double extent_at(const ir::Dim& dim, const cost::Sizes& sizes) {
  auto extent = static_cast<double>(dim.factor());
  for (const auto& symbol : dim.symbols()) {
    const auto value = sizes.find(symbol->name);
    extent *= static_cast<double>(value == sizes.end() ? symbol->max : value->second);
  }
  return extent;
}

cost::OpCost op_cost(const ScheduledOp& op, const machine::Machine& machine, const cost::Sizes& sizes, int threads) {
  if (!op.has_code()) return {};
  const cost::Run run{.sizes = sizes,
                      .threads = threads,
                      .barriers = op.barriers,
                      .is_only_one = op.runs_once,
                      .tiles = op.parts.empty() ? tiles_of(op) : std::nullopt,
                      .parts = parts_of(op.tree),
                      .pieces = is_in_each_thread(op.tree) ? std::optional(1.0) : std::nullopt};
  return op.parts.empty() ? cost_alone(op, op.sources, machine, run) : region_cost(op, machine, run);
}

double op_seconds(const ScheduledOp& op, const machine::Machine& machine, std::span<const SizedRuns> runs,
                  int threads) {
  double sum = 0;
  for (const auto& [count, sizes] : runs) sum += count * op_cost(op, machine, sizes, threads).seconds;
  return sum;
}

cost::OpWork op_work(const ScheduledOp& op, const cost::Sizes& sizes) {
  if (!op.has_code()) return {};
  if (op.parts.empty()) return work_alone(op, sizes);
  cost::OpWork sum;
  for (const ScheduledOp& part : op.parts) {
    const cost::OpWork work = work_alone(part, sizes);
    sum.flops += work.flops;
    sum.bytes += work.bytes;
  }
  return sum;
}

double units(const TileTree& tree, const cost::Sizes& sizes) {
  double count = 1;
  const TileNode* loop = first_division(tree.body);
  for (; loop != nullptr && loop->kind == Kind::kParallel; loop = divided_inside(*loop)) {
    const ir::Dim& extent = tree.iterators[static_cast<std::size_t>(loop->iterator)].extent;
    count *= loop->parts != 0 ? static_cast<double>(loop->parts)
                              : std::ceil(extent_at(extent, sizes) / static_cast<double>(loop->step));
  }
  return count;
}

namespace {

int count_barriers(const std::vector<TileNode>& nodes) {
  int count = 0;
  for (const TileNode& node : nodes) {
    count += (node.kind == Kind::kBarrier ? 1 : 0) + count_barriers(node.body) + count_barriers(node.otherwise);
  }
  return count;
}

// A barrier that a tree begins with is waited at for the op before, where that is no call, which ends with one.
void count_barriers(ScheduledFunction& function) {
  ScheduledOp* before = nullptr;
  for (ScheduledOp& op : function.ops) {
    if (!op.has_code()) continue;
    op.barriers = count_barriers(op.tree.body);
    if (before != nullptr && !before->is_call() && first_barrier(op.tree) != nullptr) {
      ++before->barriers;
      --op.barriers;
    }
    before = &op;
  }
  if (before != nullptr) before->barriers += count_barriers(function.end.body);
}

}  // namespace

void predict(std::vector<ScheduledFunction>& functions, const machine::Machine& machine, int threads) {
  std::map<const ir::Function*, double> seconds;
  for (ScheduledFunction& function : functions) {
    count_barriers(function);
    function.predicted_s = 0;
    for (ScheduledOp& op : function.ops) {
      op.predicted_s = op.is_call() ? seconds.at(op.value->callee) : op_cost(op, machine, {}, threads).seconds;
      function.predicted_s += op.predicted_s;
    }
    seconds[function.function] = function.predicted_s;
  }
}

}  // namespace strata::schedule
