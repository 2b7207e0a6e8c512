// SPDX-License-Identifier: Apache-2.0
#include "schedule/contraction_tree.h"

#include <algorithm>

#include "cost/product_tiles.h"
#include "ir/op.h"
#include "machine/cost.h"
#include "schedule/copied_tree.h"

namespace strata::schedule {
namespace {

using Kind = TileNode::Kind;
using Nodes = std::vector<TileNode>;

// A contraction: the right operand's panels divided among the threads; in a thread's share one row streams past, or
// blocks of rows and of k are multiplied in register tiles, the last level that a core has for itself keeping the block
// while the panels stream past.
class ContractionTree {
 public:
  ContractionTree(const ScheduledOp& op, const machine::Machine& machine, const cost::ProductTiles& tiles,
                  std::int64_t unit_rows)
      : op_(op),
        types_(operand_types(op)),
        machine_(machine),
        nest_(*op.value->op->loops(types_, op.value->attributes)),
        of_(*op.contraction),
        tiles_(tiles),
        unit_rows_(unit_rows) {
    m_ = *of_.only(ir::IteratorClass::kM);
    n_ = *of_.only(ir::IteratorClass::kN);
    k_ = *of_.only(ir::IteratorClass::kK);
  }

  TileTree run() const {
    TileTree tree;
    for (const ir::Iterator& iterator : nest_.iterators) tree.iterators.push_back({iterator.name, iterator.extent});
    const std::int64_t group = compute(*op_.leaf).panels * type(of_.right).layout.packs[0].lanes;
    tree.body = {shared_columns(n_, group, m_, unit_rows_, by_row_count())};
    return tree;
  }

 private:
  const ir::TensorType& type(int operand) const { return types_[static_cast<std::size_t>(operand)]; }

  TileNode compute(const cost::Leaf& leaf) const { return product_leaf(op_, leaf, machine_, tiles_); }

  // Few rows may have a leaf of their own.
  Nodes by_row_count() const {
    const ir::Dim& rows = nest_.iterators[static_cast<std::size_t>(m_)].extent;
    const std::int64_t few = op_.leaf->few_tiles * type(of_.left).layout.lanes(0);
    if (op_.leaf->few.empty() || rows.min() > few) return inside(*op_.leaf);
    Nodes few_rows = inside(cost::leaf(op_.leaf->few));
    if (rows.max() <= few) return few_rows;
    TileNode when = loop_node(Kind::kWhen, m_, few, std::move(few_rows));
    when.otherwise = inside(*op_.leaf);
    return {std::move(when)};
  }

  Nodes inside(const cost::Leaf& leaf) const {
    std::vector<std::int64_t> extents;
    for (const ir::Iterator& iterator : nest_.iterators) extents.push_back(iterator.extent.max());
    if (!leaf.takes_blocks) return with_scratch(op_, machine_, compute(leaf), extents);
    std::int64_t& k = extents[static_cast<std::size_t>(k_)];
    k = std::min(k, tiles_.depth);
    std::int64_t& m = extents[static_cast<std::size_t>(m_)];
    m = std::min(m, tiles_.rows);
    TileNode depth = loop_node(Kind::kSerial, k_, tiles_.depth, with_scratch(op_, machine_, compute(leaf), extents));
    depth.level = tiles_.level;
    if (unit_rows_ != 0 && unit_rows_ <= tiles_.rows) return {std::move(depth)};
    return {loop_node(Kind::kSerial, m_, tiles_.rows, {std::move(depth)})};
  }

  const ScheduledOp& op_;
  std::vector<ir::TensorType> types_;
  const machine::Machine& machine_;
  const ir::LoopNest nest_;
  const ir::Contraction& of_;
  int m_ = 0, n_ = 0, k_ = 0;
  const cost::ProductTiles tiles_;
  const std::int64_t unit_rows_;
};

}  // namespace

TileNode product_leaf(const ScheduledOp& op, const cost::Leaf& leaf, const machine::Machine& machine,
                      const cost::ProductTiles& tiles) {
  TileNode node;
  node.leaf = &leaf;
  const int bits = ir::stored_bits(op.value->arguments[static_cast<std::size_t>(op.contraction->right)]->type());
  const bool is_one_row = !op.leaf->takes_blocks;
  if (leaf.is_streamed) node.stream = is_one_row ? machine::stream(machine, bits) : machine::tile_stream(machine, bits);
  node.panels = leaf.takes_blocks ? tiles.panels : node.stream.panels;
  return node;
}

Nodes with_scratch(const ScheduledOp& op, const machine::Machine& machine, TileNode compute,
                   std::span<const std::int64_t> extents) {
  Nodes nodes;
  const std::vector<cost::Scratch> needs = scratch_of(op, compute, extents, machine);
  for (std::size_t i = 0; i < needs.size(); ++i) {
    nodes.push_back(buffer_node(compute.leaf->buffers[i].name, needs[i], machine));
    compute.with.push_back(nodes.back().buffer);
  }
  nodes.push_back(std::move(compute));
  return nodes;
}

cost::ProductTiles predicted_tiles(const ScheduledOp& op, const machine::Machine& machine) {
  if (!op.leaf->takes_blocks) return {};
  return cost::product_tiles(machine, cost::tiled_product(machine, operand_types(op), *op.contraction));
}

TileTree contraction_tree(const ScheduledOp& op, const machine::Machine& machine, const cost::ProductTiles& tiles,
                          std::int64_t unit_rows) {
  if (machine::managed_level(machine) != nullptr) return contraction_with_copies(op, machine, tiles);
  return ContractionTree(op, machine, tiles, unit_rows).run();
}

std::int64_t unit_rows(const ScheduledOp& op) {
  const auto loop = std::ranges::find(op.tree.body, Kind::kParallel, &TileNode::kind);
  const TileNode* const inner = loop == op.tree.body.end() ? nullptr : divided_inside(*loop);
  const ir::Contraction* const of = !op.products.empty() ? &op.products[0].of
                                    : op.contraction     ? &*op.contraction
                                                         : nullptr;
  const bool is_shared = inner != nullptr && of != nullptr &&
                         of->classes[static_cast<std::size_t>(inner->iterator)] == ir::IteratorClass::kM;
  return is_shared ? inner->step : 0;
}

TileNode shared_columns(int n, std::int64_t columns, int m, std::int64_t unit_rows, Nodes share) {
  if (unit_rows != 0) share = {loop_node(Kind::kParallel, m, unit_rows, std::move(share))};
  return loop_node(Kind::kParallel, n, columns, std::move(share));
}

}  // namespace strata::schedule
