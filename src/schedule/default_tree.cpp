// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.h"
#include "ir/op.h"
#include "machine/cost.h"
#include "schedule/schedule.h"

namespace strata::schedule {
namespace {

using Kind = TileNode::Kind;
using Nodes = std::vector<TileNode>;
using Domain = cost::Leaf::Domain;

TileNode loop(Kind kind, int iterator, std::int64_t step, Nodes body) {
  TileNode node{.kind = kind, .iterator = iterator, .step = step};
  node.body = std::move(body);
  return node;
}

bool contains(const std::vector<int>& list, int item) { return std::ranges::find(list, item) != list.end(); }

// The tree of an op's own loops: those that all stages have in common outside, the outermost one that is longer than
// one step divided among the threads; in them a loop nest for each stage, the innermost loop in vector lanes.
class OwnLoops {
 public:
  // An elementwise op is divided in pieces of `grain` elements, so that small ones stay on one thread.
  OwnLoops(const StridedNest& nest, std::int64_t lanes, std::int64_t grain)
      : nest_(nest), lanes_(lanes), grain_(grain) {}

  TileTree run() {
    TileTree tree;
    for (const ir::Iterator& iterator : nest_.iterators) tree.iterators.push_back({iterator.name, iterator.extent});
    const std::vector<int> outer = common_loops();
    Nodes inside;
    for (std::size_t s = 0; s < nest_.stages.size(); ++s) inside.push_back(stage(static_cast<int>(s), outer));
    tree.body = around(outer, std::move(inside));
    return tree;
  }

 private:
  // Iterators that index every stage, in the result's order; the last one runs in vector lanes if the result is a map
  // of its own. (A result that is itself a reduction has no map, and one that only finishes another stage's scalar has
  // none inside of the common loops.)
  std::vector<int> common_loops() const {
    std::vector<int> common;
    for (const int iterator : nest_.result().target) {
      const bool everywhere =
          std::ranges::all_of(nest_.stages, [&](const ir::Stage& stage) { return contains(stage.target, iterator); });
      if (everywhere) common.push_back(iterator);
    }
    const bool has_own_loop = nest_.stages.size() == 1 || common.size() < nest_.result().target.size();
    const bool is_map = nest_.result().combiner == ir::Combiner::kNone && has_own_loop;
    if (is_map && common.size() == nest_.result().target.size() && !common.empty()) common.pop_back();
    return common;
  }

  TileNode stage(int number, const std::vector<int>& outer) const {
    const ir::Stage& of = nest_.stages[static_cast<std::size_t>(number)];
    TileNode node;
    node.leaf = &cost::leaf("loops");
    node.stage = number;
    std::vector<int> own;
    for (const int iterator : of.target) {
      if (!contains(outer, iterator)) own.push_back(iterator);
    }
    own.insert(own.end(), of.reduced.begin(), of.reduced.end());
    for (std::size_t i = own.size(); i-- > 0;) {
      const bool is_innermost = i + 1 == own.size();
      node = loop(is_innermost ? Kind::kVector : Kind::kSerial, own[i],
                  is_innermost && can_vectorise(of.body, own[i]) ? lanes_ : 1, {std::move(node)});
    }
    return node;
  }

  // Vector lanes are possible where the iterator's value is not used.
  static bool can_vectorise(const ir::ScalarExpr& body, int iterator) {
    if (body.kind == ir::ScalarExpr::Kind::kIterator && body.number == iterator) return false;
    return std::ranges::all_of(body.arguments, [&](const ir::ScalarExpr& a) { return can_vectorise(a, iterator); });
  }

  Nodes around(const std::vector<int>& outer, Nodes inside) const {
    const auto divided = std::ranges::find_if(
        outer, [&](int iterator) { return nest_.iterators[static_cast<std::size_t>(iterator)].extent.max() != 1; });
    const bool is_flat = outer.empty() && inside.size() == 1 && inside[0].kind == Kind::kVector &&
                         nest_.result().combiner == ir::Combiner::kNone;
    if (is_flat) return {loop(Kind::kParallel, inside[0].iterator, grain_, std::move(inside))};
    for (std::size_t i = outer.size(); i-- > 0;) {
      inside = {loop(Kind::kSerial, outer[i], 1, std::move(inside))};
      if (divided == outer.begin() + static_cast<std::ptrdiff_t>(i)) {
        inside = {loop(Kind::kParallel, outer[i], 1, std::move(inside))};
      }
    }
    if (divided != outer.end()) return inside;
    TileNode once{.kind = Kind::kOnce};
    once.body = std::move(inside);
    return {std::move(once)};
  }

  const StridedNest& nest_;
  const std::int64_t lanes_;
  const std::int64_t grain_;
};

std::vector<ir::TensorType> operand_types(const ScheduledOp& op) {
  std::vector<ir::TensorType> types;
  for (const ir::Expr* argument : op.value->arguments) types.push_back(argument->type());
  return types;
}

// A leaf behind the buffer that it works in, which the innermost memory level that it fits keeps.
Nodes with_scratch(const ScheduledOp& op, const machine::Machine& machine, TileNode compute, std::int64_t depth = 0) {
  const auto scratch = scratch_of(op, compute, depth, machine);
  if (!scratch) return {std::move(compute)};
  TileNode buffer{.kind = Kind::kBuffer, .buffer = std::string(compute.leaf->scratch_name), .holds = *scratch};
  buffer.level = machine::level_holding(machine, static_cast<double>(scratch->elements * dtype_size(scratch->dtype)));
  compute.buffer = buffer.buffer;
  return {std::move(buffer), std::move(compute)};
}

// A contraction: the right operand's panels divided among the threads; in a thread's share one row streams past, or
// blocks of rows and of k are multiplied in register tiles, the last level that a core has for itself keeping the block
// while the panels stream past.
class ContractionTree {
 public:
  ContractionTree(const ScheduledOp& op, const machine::Machine& machine)
      : op_(op),
        types_(operand_types(op)),
        machine_(machine),
        nest_(*op.value->op->loops(types_, op.value->attributes)),
        of_(*op.contraction) {
    m_ = *of_.only(ir::IteratorClass::kM);
    n_ = *of_.only(ir::IteratorClass::kN);
    k_ = *of_.only(ir::IteratorClass::kK);
  }

  TileTree run() const {
    TileTree tree;
    for (const ir::Iterator& iterator : nest_.iterators) tree.iterators.push_back({iterator.name, iterator.extent});
    const std::int64_t group = compute(*op_.leaf).panels * type(of_.right).layout.packs[0].lanes;
    tree.body = {loop(Kind::kParallel, n_, group, by_row_count())};
    return tree;
  }

 private:
  const ir::TensorType& type(int operand) const { return types_[static_cast<std::size_t>(operand)]; }

  TileNode compute(const cost::Leaf& leaf) const {
    TileNode node;
    node.leaf = &leaf;
    const int bits = ir::stored_bits(type(of_.right));
    const bool is_one_row = !op_.leaf->takes_blocks;
    if (leaf.is_streamed)
      node.stream = is_one_row ? machine::stream(machine_, bits) : machine::tile_stream(machine_, bits);
    node.panels = leaf.takes_blocks ? machine::register_tile(machine_).panels : node.stream.panels;
    return node;
  }

  // Few rows may have a leaf of their own.
  Nodes by_row_count() const {
    const ir::Dim& rows = nest_.iterators[static_cast<std::size_t>(m_)].extent;
    const std::int64_t few = op_.leaf->few_tiles * type(of_.left).layout.lanes(0);
    if (op_.leaf->few.empty() || rows.min() > few) return inside(*op_.leaf);
    Nodes few_rows = inside(cost::leaf(op_.leaf->few));
    if (rows.max() <= few) return few_rows;
    TileNode when = loop(Kind::kWhen, m_, few, std::move(few_rows));
    when.otherwise = inside(*op_.leaf);
    return {std::move(when)};
  }

  Nodes inside(const cost::Leaf& leaf) const {
    const std::int64_t extent = nest_.iterators[static_cast<std::size_t>(k_)].extent.max();
    if (!leaf.takes_blocks) return with_scratch(op_, machine_, compute(leaf), extent);
    const std::int64_t tile = type(of_.left).layout.lanes(0);
    const auto block = machine::cache_block(machine_, static_cast<int>(dtype_size(type(of_.left).dtype)));
    TileNode depth =
        loop(Kind::kSerial, k_, block.depth, with_scratch(op_, machine_, compute(leaf), std::min(extent, block.depth)));
    depth.level = block.level;
    return {loop(Kind::kSerial, m_, std::max(block.rows / tile, std::int64_t{1}) * tile, {std::move(depth)})};
  }

  const ScheduledOp& op_;
  std::vector<ir::TensorType> types_;
  const machine::Machine& machine_;
  const ir::LoopNest nest_;
  const ir::Contraction& of_;
  int m_ = 0, n_ = 0, k_ = 0;
};

// The loop of the leaf's own, divided among the threads.
TileTree leaf_tree(const ScheduledOp& op, const machine::Machine& machine, TileNode compute) {
  const cost::LeafLoop& around = op.leaf->loop;
  const std::int64_t step = around.takes_row_tiles ? op.value->type().layout.lanes(0) : 1;
  TileTree tree;
  tree.iterators = {{std::string(around.name), op.value->type().shape[0], around.extent, around.items != nullptr}};
  tree.body = {loop(Kind::kParallel, 0, step, with_scratch(op, machine, std::move(compute)))};
  return tree;
}

}  // namespace

std::int64_t block_unit(const ScheduledOp& op, int iterator) {
  const ir::Contraction& of = *op.contraction;
  const auto& left = op.value->arguments[static_cast<std::size_t>(of.left)]->type().layout;
  const bool is_row = of.classes[static_cast<std::size_t>(iterator)] == ir::IteratorClass::kM;
  return is_row ? left.lanes(0) : machine::kDepthUnit;
}

std::optional<cost::Scratch> scratch_of(const ScheduledOp& op, const TileNode& compute, std::int64_t depth,
                                        const machine::Machine& machine) {
  if (compute.leaf->scratch == nullptr) return std::nullopt;
  const std::vector<ir::TensorType> types = operand_types(op);
  return compute.leaf->scratch({machine, types, op.contraction ? &*op.contraction : nullptr, depth, compute.panels});
}

TileTree default_tree(const ScheduledOp& op, const machine::Machine& machine) {
  TileNode compute;
  compute.leaf = op.leaf;
  switch (op.leaf->domain) {
    case Domain::kView:
      return {};
    case Domain::kOwn:
      return OwnLoops(*op.nest, cost::loop_lanes(operand_types(op)), machine.core.grain_elements).run();
    case Domain::kContraction:
      return ContractionTree(op, machine).run();
    case Domain::kLoop:
      return leaf_tree(op, machine, std::move(compute));
    case Domain::kOnce: {
      TileNode once{.kind = Kind::kOnce};
      once.body = {std::move(compute)};
      return {{}, {std::move(once)}};
    }
  }
  return {};
}

}  // namespace strata::schedule
