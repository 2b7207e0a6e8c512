// SPDX-License-Identifier: Apache-2.0
#include "schedule/own_loops.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/ranges.h"
#include "machine/cost.h"

namespace strata::schedule {
namespace {

using Kind = TileNode::Kind;
using Nodes = std::vector<TileNode>;

// The tree of own loops, of one op or several: those that all stages have in common outside, the outermost one that is
// longer than one step divided among the threads; in them a loop nest for each group of stages, the innermost loop in
// vector lanes.
class OwnLoops {
 public:
  OwnLoops(const ScheduledOp& op, std::int64_t lanes, const machine::Machine& machine,
           const std::vector<const ir::Expr*>& leaving)
      : OwnLoops(op, lanes, machine, leaving, {}) {
    outer_ = common_loops();
  }

  // Those inside of loops over `outer`.
  OwnLoops(const ScheduledOp& op, std::int64_t lanes, const machine::Machine& machine,
           const std::vector<const ir::Expr*>& leaving, std::vector<int> outer)
      : op_(op),
        nest_(*op.nest),
        made_(op.made),
        leaving_(leaving),
        lanes_(lanes),
        machine_(machine),
        outer_(std::move(outer)) {}

  TileTree run() {
    TileTree tree = empty_tree();
    make_groups();
    tree.body = around(outer_, inside());
    return tree;
  }

  Nodes run_inside() {
    make_groups();
    return inside();
  }

  // In tiles of `rows` by an iterator of that number, each of which a leaf then reads.
  TileTree run_before(TileNode leaf, int iterator, std::int64_t rows, bool keeps_result) {
    TileTree tree = empty_tree();
    std::erase(outer_, iterator);
    outer_.insert(outer_.begin(), iterator);
    make_groups();
    Nodes body = inside();
    for (std::size_t i = outer_.size(); i-- > 0;) {
      const bool is_tile = outer_[i] == iterator && rows == 1;
      if (!is_tile) body = {loop_node(Kind::kSerial, outer_[i], 1, std::move(body))};
    }
    Nodes tile;
    if (keeps_result) {
      const auto result = static_cast<int>(nest_.stages.size()) - 1;
      std::int64_t elements = rows;
      for (const int other : nest_.result().target) {
        if (other != iterator) elements *= nest_.iterators[static_cast<std::size_t>(other)].extent.max();
      }
      tile.push_back(buffer(result, elements));
      set_buffer(body, result, tile.back().buffer);
    }
    for (TileNode& node : body) tile.push_back(std::move(node));
    tile.push_back(std::move(leaf));
    tree.body = {
        loop_node(Kind::kParallel, iterator, rows, {loop_node(Kind::kSerial, iterator, rows, std::move(tile))})};
    return tree;
  }

 private:
  // Stages that run through the same loops at the same time: maps, and at the end a reduction of what they make.
  using Group = std::vector<int>;

  TileTree empty_tree() const {
    TileTree tree;
    for (const ir::Iterator& iterator : nest_.iterators) tree.iterators.push_back({iterator.name, iterator.extent});
    return tree;
  }

  const ir::Stage& stage(int number) const { return nest_.stages[static_cast<std::size_t>(number)]; }

  // The first iterators of the result, as far as they index every stage; the last one runs in vector lanes if all are
  // maps through the same loops. (A result that is itself a reduction has no map, and one that only finishes another
  // stage's scalar has none inside of the common loops.)
  std::vector<int> common_loops() const {
    std::vector<int> common;
    for (const int iterator : nest_.result().target) {
      const bool everywhere =
          std::ranges::all_of(nest_.stages, [&](const ir::Stage& stage) { return contains(stage.target, iterator); });
      if (!everywhere) break;
      common.push_back(iterator);
    }
    const bool are_maps =
        std::ranges::all_of(nest_.stages, [](const ir::Stage& stage) { return stage.combiner == ir::Combiner::kNone; });
    if (are_maps && common.size() == nest_.result().target.size() && !common.empty()) common.pop_back();
    return common;
  }

  bool is_product(int number) const {
    return std::ranges::find(op_.products, number, &ProductStage::stage) != op_.products.end();
  }

  std::vector<int> own_loops(int number) const {
    std::vector<int> own;
    for (const int iterator : stage(number).target) {
      if (!contains(outer_, iterator)) own.push_back(iterator);
    }
    own.insert(own.end(), stage(number).reduced.begin(), stage(number).reduced.end());
    return own;
  }

  void make_groups() {
    for (int s = 0; s < static_cast<int>(nest_.stages.size()); ++s) {
      if (is_product(s)) continue;
      const bool fits = !groups_.empty() && !own_loops(s).empty() && own_loops(s) == own_loops(groups_.back()[0]) &&
                        stage(groups_.back().back()).combiner == ir::Combiner::kNone;
      if (!fits) groups_.emplace_back();
      groups_.back().push_back(s);
    }
  }

  // Whether a group behind its own reads this stage.
  bool is_read_later(int number) const {
    bool is_own = false;
    for (const Group& group : groups_) {
      const bool was_own = is_own;
      is_own = is_own || contains(group, number);
      if (was_own && std::ranges::any_of(group, [&](int s) { return reads_stage(nest_, stage(s).body, number); }))
        return true;
    }
    return false;
  }

  bool is_map(int number) const { return !own_loops(number).empty() && stage(number).combiner == ir::Combiner::kNone; }

  // A value of a part that stays inside of the region.
  bool is_inside(int number) const {
    const ir::Expr* const value = made_[static_cast<std::size_t>(number)];
    const bool is_result = number + 1 == static_cast<int>(nest_.stages.size());
    return !is_result && (value == nullptr || std::ranges::find(leaving_, value) == leaving_.end());
  }

  // Elements that a stage makes where all of the outer loops stand at one index.
  std::int64_t tile_of(int number) const {
    std::int64_t elements = 1;
    for (const int iterator : stage(number).target) {
      if (!contains(outer_, iterator)) elements *= nest_.iterators[static_cast<std::size_t>(iterator)].extent.max();
    }
    return elements;
  }

  TileNode buffer(int number, std::int64_t elements) const {
    TileNode node{.kind = Kind::kBuffer, .buffer = "tile" + std::to_string(number)};
    const ir::Expr* const value = made_[static_cast<std::size_t>(number)];
    node.holds = {value == nullptr ? DType::kF32 : value->type().dtype, elements};
    node.level = machine::level_holding(machine_, static_cast<double>(elements * dtype_size(node.holds.dtype)));
    return node;
  }

  static void set_buffer(Nodes& nodes, int stage, const std::string& name) {
    for (TileNode& node : nodes) {
      if (node.kind == Kind::kCompute && node.stage == stage) node.buffer = name;
      set_buffer(node.body, stage, name);
    }
  }

  Nodes inside() const {
    Nodes nodes;
    for (int s = 0; s < static_cast<int>(nest_.stages.size()); ++s) {
      if (!is_product(s) && is_map(s) && is_inside(s) && is_read_later(s)) nodes.push_back(buffer(s, tile_of(s)));
    }
    for (const Group& group : groups_) nodes.push_back(loops(group));
    return nodes;
  }

  TileNode compute(int number) const {
    TileNode node;
    node.leaf = &cost::leaf("loops");
    node.stage = number;
    if (!is_map(number) || !is_inside(number)) return node;
    node.in_lanes = !is_read_later(number);
    if (!node.in_lanes) node.buffer = buffer(number, 1).buffer;
    return node;
  }

  TileNode loops(const Group& group) const {
    Nodes nodes;
    for (const int s : group) nodes.push_back(compute(s));
    const std::vector<int> own = own_loops(group[0]);
    for (std::size_t i = own.size(); i-- > 0;) {
      const bool is_innermost = i + 1 == own.size();
      const bool is_vector =
          is_innermost && std::ranges::all_of(group, [&](int s) { return can_run_in_lanes(nest_, s, own[i], lanes_); });
      nodes = {
          loop_node(is_innermost ? Kind::kVector : Kind::kSerial, own[i], is_vector ? lanes_ : 1, std::move(nodes))};
    }
    return std::move(nodes[0]);
  }

  Nodes around(const std::vector<int>& outer, Nodes inside) const {
    const auto divided = std::ranges::find_if(
        outer, [&](int iterator) { return nest_.iterators[static_cast<std::size_t>(iterator)].extent.max() != 1; });
    const bool is_flat = outer.empty() && inside.size() == 1 && inside[0].kind == Kind::kVector &&
                         nest_.result().combiner == ir::Combiner::kNone;
    if (is_flat)
      return {loop_node(Kind::kParallel, inside[0].iterator, machine_.core.grain_elements, std::move(inside))};
    for (std::size_t i = outer.size(); i-- > 0;) {
      inside = {loop_node(Kind::kSerial, outer[i], 1, std::move(inside))};
      if (divided == outer.begin() + static_cast<std::ptrdiff_t>(i)) {
        inside = {loop_node(Kind::kParallel, outer[i], 1, std::move(inside))};
      }
    }
    if (divided != outer.end()) return inside;
    TileNode once{.kind = Kind::kOnce};
    once.body = std::move(inside);
    return {std::move(once)};
  }

  const ScheduledOp& op_;
  const StridedNest& nest_;
  const std::vector<const ir::Expr*>& made_;
  const std::vector<const ir::Expr*>& leaving_;
  const std::int64_t lanes_;
  const machine::Machine& machine_;
  std::vector<int> outer_;
  std::vector<Group> groups_;
};

}  // namespace

TileTree own_loops_tree(const ScheduledOp& op, std::int64_t lanes, const machine::Machine& machine,
                        const std::vector<const ir::Expr*>& leaving) {
  return OwnLoops(op, lanes, machine, leaving).run();
}

TileTree own_loops_before(const ScheduledOp& op, std::int64_t lanes, const machine::Machine& machine,
                          const std::vector<const ir::Expr*>& leaving, TileNode leaf, bool keeps_result) {
  return OwnLoops(op, lanes, machine, leaving)
      .run_before(std::move(leaf), op.rows, op.value->type().layout.lanes(0), keeps_result);
}

std::vector<TileNode> own_loops_inside(const ScheduledOp& op, std::int64_t lanes, const machine::Machine& machine,
                                       const std::vector<const ir::Expr*>& leaving, std::vector<int> outer) {
  return OwnLoops(op, lanes, machine, leaving, std::move(outer)).run_inside();
}

}  // namespace strata::schedule
