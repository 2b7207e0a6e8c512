// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/ranges.h"
#include "ir/op.h"
#include "machine/cost.h"
#include "schedule/attention_tree.h"
#include "schedule/contraction_tree.h"
#include "schedule/copied_tree.h"
#include "schedule/numbered_tree.h"
#include "schedule/own_loops.h"
#include "schedule/products_tree.h"
#include "schedule/schedule.h"

namespace strata::schedule {
namespace {

using Kind = TileNode::Kind;
using Domain = cost::Leaf::Domain;

// The loop of the leaf's own, divided among the threads.
TileTree leaf_tree(const ScheduledOp& op, TileNode compute) {
  const cost::LeafLoop& around = op.leaf->loop;
  const std::int64_t step = around.takes_row_tiles ? op.value->type().layout.lanes(0) : 1;
  TileTree tree;
  tree.iterators = {{std::string(around.name), op.value->type().shape[0], around.extent}};
  tree.body = {loop_node(Kind::kParallel, 0, step, {std::move(compute)})};
  return tree;
}

// The lanes of a region's own loops.
std::int64_t own_lanes(const ScheduledOp& op) {
  return cost::loop_lanes(operand_types(op.parts.empty() ? op : op.parts[0]));
}

// Own loops, whose last value a leaf reads in tiles of rows.
TileTree tiled_tree(const ScheduledOp& op, const machine::Machine& machine, TileNode compute,
                    const std::vector<const ir::Expr*>& leaving) {
  const bool leaves = std::ranges::find(leaving, op.made.back()) != leaving.end();
  return own_loops_before(op, own_lanes(op), machine, leaving, std::move(compute), !leaves);
}

}  // namespace

std::int64_t block_unit(const ScheduledOp& op, int iterator) {
  if (op.contraction && op.contraction->classes[static_cast<std::size_t>(iterator)] == ir::IteratorClass::kN)
    return panel_lanes(op);
  if (op.attention) return key_unit(op, iterator);
  if (!op.contraction) {
    const bool is_cut_to_tiles = op.leaf->loop.takes_row_tiles && iterator == op.rows;
    return is_cut_to_tiles ? op.value->type().layout.lanes(0) : 1;
  }
  const ir::Contraction& of = *op.contraction;
  const auto& left = op.value->arguments[static_cast<std::size_t>(of.left)]->type().layout;
  const bool is_row = of.classes[static_cast<std::size_t>(iterator)] == ir::IteratorClass::kM;
  return is_row ? left.lanes(0) : std::lcm(machine::kDepthUnit, of.block());
}

std::vector<cost::Scratch> scratch_of(const ScheduledOp& op, const TileNode& compute,
                                      std::span<const std::int64_t> extents, const machine::Machine& machine) {
  const std::vector<ir::TensorType> types = operand_types(op);
  std::vector<cost::Scratch> needs;
  for (const cost::LeafBuffer& buffer : compute.leaf->buffers) {
    needs.push_back(buffer.needs({machine, types, op.contraction ? &*op.contraction : nullptr,
                                  op.attention ? &*op.attention : nullptr, extents, compute.panels}));
  }
  return needs;
}

TileNode buffer_node(std::string_view name, const cost::Scratch& holds, const machine::Machine& machine) {
  TileNode buffer{.kind = Kind::kBuffer, .buffer = std::string(name), .holds = holds};
  buffer.level = machine::level_holding(machine, static_cast<double>(holds.elements * dtype_size(holds.dtype)));
  return buffer;
}

std::vector<ir::TensorType> operand_types(const ScheduledOp& op) {
  std::vector<ir::TensorType> types;
  for (const ir::Expr* argument : op.value->arguments) types.push_back(argument->type());
  return types;
}

TileTree own_loops_tree(const ScheduledOp& op, const machine::Machine& machine,
                        const std::vector<const ir::Expr*>& leaving) {
  return own_loops_tree(op, own_lanes(op), machine, leaving);
}

TileTree default_tree(const ScheduledOp& op, const machine::Machine& machine,
                      const std::vector<const ir::Expr*>& leaving) {
  TileNode compute;
  compute.leaf = op.leaf;
  if (machine::managed_level(machine) != nullptr) return tree_with_copies(op, machine, leaving);
  if (!op.products.empty()) return fastest_products_tree(op, machine, leaving);
  switch (op.leaf->domain) {
    case Domain::kView:
      return {};
    case Domain::kOwn:
      return own_loops_tree(op, own_lanes(op), machine, leaving);
    case Domain::kContraction:
      return contraction_tree(op, machine, predicted_tiles(op, machine));
    case Domain::kAttention:
      return attention_tree(op, machine);
    case Domain::kNumbered:
      return numbered_tree(op, machine);
    case Domain::kLoop:
      if (!op.parts.empty()) return tiled_tree(op, machine, std::move(compute), leaving);
      return leaf_tree(op, std::move(compute));
    case Domain::kOnce: {
      TileNode once{.kind = Kind::kOnce};
      once.body = {std::move(compute)};
      return {{}, {std::move(once)}};
    }
  }
  return {};
}

}  // namespace strata::schedule
