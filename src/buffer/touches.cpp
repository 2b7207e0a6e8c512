// SPDX-License-Identifier: Apache-2.0
#include "buffer/touches.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "schedule/view_plan.h"

namespace strata::buffer {
namespace {

using schedule::ScheduledOp;
using schedule::TileNode;
using Kind = TileNode::Kind;

// The nodes that give work to threads.
void find_divisions(const std::vector<TileNode>& nodes, std::vector<const TileNode*>& found) {
  for (const TileNode& node : nodes) {
    if (node.kind == Kind::kParallel || node.kind == Kind::kOnce || node.kind == Kind::kEach) {
      found.push_back(&node);
    } else {
      find_divisions(node.body, found);
      find_divisions(node.otherwise, found);
    }
  }
}

// How all of the tree's work is divided, if all of it is divided in one way.
const TileNode* division(const schedule::TileTree& tree) {
  std::vector<const TileNode*> found;
  find_divisions(tree.body, found);
  if (found.empty()) return nullptr;
  const TileNode& first = *found[0];
  const bool is_one = std::ranges::all_of(found, [&](const TileNode* node) {
    return node->kind == first.kind && node->iterator == first.iterator && node->step == first.step;
  });
  return is_one ? &first : nullptr;
}

// Nothing is known of a tree that divides a reduction. Of two loops one inside the other, the inner one where the outer
// one has one step.
const TileNode* divided_loop(const schedule::TileTree& tree) {
  if (schedule::find_split(tree.body) != nullptr) return nullptr;
  const TileNode* loop = division(tree);
  if (loop == nullptr || loop->kind != Kind::kParallel) return loop;
  const TileNode* const inside = schedule::divided_inside(*loop);
  const bool is_one = tree.iterators[static_cast<std::size_t>(loop->iterator)].extent.max() <= loop->step;
  return inside != nullptr && is_one ? inside : loop;
}

// Distances by iterator, in elements.
struct Address {
  std::vector<ir::Dim> strides;
  std::int64_t offset = 0;
};

// The shares of a loop over threads along one of these iterators: what the others reach must lie within its stride.
template <typename Iterators>
Share divided(const Iterators& iterators, int along, std::int64_t units, const Address& address) {
  std::int64_t first = address.offset;
  std::int64_t last = address.offset;
  for (std::size_t i = 0; i < iterators.size(); ++i) {
    const ir::Dim& stride = address.strides[i];
    const bool is_fixed = stride.is_constant() && (stride == ir::Dim(0) || iterators[i].extent.is_constant());
    if (static_cast<int>(i) == along) continue;
    if (!is_fixed) return {};
    const std::int64_t reach = stride.factor() * (iterators[i].extent.max() - 1);
    (reach < 0 ? first : last) += stride == ir::Dim(0) ? 0 : reach;
  }
  const ir::Dim& step = address.strides[static_cast<std::size_t>(along)];
  if (!step.is_constant() || step.factor() < last + 1 - first) return {};
  return {Share::Kind::kDivided, iterators[static_cast<std::size_t>(along)].extent, units, first, last + 1,
          step.factor()};
}

class Toucher {
 public:
  Toucher(const ScheduledOp& op, const FunctionPlan& plan) : op_(op), plan_(plan), loop_(divided_loop(op.tree)) {}

  std::vector<Touch> run() {
    if (op_.nest) {
      for (const schedule::StridedAccess& access : op_.nest->accesses) {
        if (access.stage >= 0) continue;
        const bool is_strided = access.symbolic_offsets.empty() && access.divided.empty();
        const auto address = is_strided ? std::optional(Address{access.strides, access.offset}) : std::nullopt;
        add(op_.inputs[static_cast<std::size_t>(access.operand)], 0, false, share_of(address));
      }
      for (const schedule::ProductStage& product : op_.products) {
        for (const ir::Expr* operand : op_.parts[product.part].value->arguments)
          add(operand, 0, false, share_of(std::nullopt));
      }
      for (std::size_t stage = 0; stage < op_.made.size(); ++stage) {
        const ir::Expr* const value = op_.made[stage];
        if (value != nullptr && plan_.has_place(value))
          add(value, 0, true, share_of(address_of(op_.nest->stages[stage])));
      }
      if (op_.leaf->domain != cost::Leaf::Domain::kOwn) add(op_.value, 0, true, share_of(std::nullopt));
      return std::move(touches_);
    }
    const auto loops = op_.is_call() ? nullptr : schedule::loops_of(*op_.value);
    for (std::size_t i = 0; i < op_.value->arguments.size(); ++i) {
      const ir::Expr* const argument = op_.value->arguments[i];
      if (argument->kind != ir::Expr::Kind::kScalar) add(argument, 0, false, share_of_leaf(loops.get(), i));
    }
    for (std::size_t i = 0; i < op_.value->types.size(); ++i) {
      add(op_.value, static_cast<std::int64_t>(i), true, share_of(std::nullopt));
    }
    if (const auto buffers = plan_.scratch.find(op_.value); buffers != plan_.scratch.end()) {
      for (const auto& [name, memory] : buffers->second.shared) {
        touches_.push_back({{Place::Kind::kArena, 0, memory.offset, memory.bytes}, true, Share{}});
      }
    }
    return std::move(touches_);
  }

 private:
  // In elements of the value.
  void add(const ir::Expr* value, std::int64_t index, bool is_written, Share share) {
    const Place& place = plan_.place(value, index);
    const bool is_shared = place.kind == Place::Kind::kParameter || place.kind == Place::Kind::kResult ||
                           place.kind == Place::Kind::kArena;
    if (!is_shared) return;
    const std::int64_t bytes = dtype_size(value->types[static_cast<std::size_t>(index)].dtype);
    share.begin *= bytes;
    share.end *= bytes;
    share.stride *= bytes;
    touches_.push_back({place, is_written, share});
  }

  // A share of less than one step is all that there is, and thread 0's.
  Share share_of(const std::optional<Address>& address) const {
    if (const auto known = share_by_loop()) return *known;
    return address ? divided(op_.tree.iterators, loop_->iterator, loop_->step, *address) : Share{};
  }

  // What the loop alone says.
  std::optional<Share> share_by_loop() const {
    if (loop_ == nullptr) return Share{};
    if (loop_->kind == Kind::kEach) return Share{};
    if (loop_->kind == Kind::kOnce) return Share{.kind = Share::Kind::kFirst};
    if (schedule::divided_inside(*loop_) != nullptr) return Share{};
    const schedule::TileIterator& iterator = op_.tree.iterators[static_cast<std::size_t>(loop_->iterator)];
    if (iterator.extent.max() <= loop_->step) return Share{.kind = Share::Kind::kFirst};
    return std::nullopt;
  }

  // The op's iterator that the tree divides: of its name, or the one of the result's first axis where the leaf's own
  // loop runs along that; -1: there is none.
  int divided_iterator(const ir::LoopNest& loops) const {
    const std::vector<int>& target = loops.result().target;
    if (op_.leaf->domain == cost::Leaf::Domain::kLoop) {
      return op_.leaf->loop.takes_row_tiles || target.empty() ? -1 : target[0];
    }
    const std::string& name = op_.tree.iterators[static_cast<std::size_t>(loop_->iterator)].name;
    const auto found = std::ranges::find(loops.iterators, name, &ir::Iterator::name);
    return found == loops.iterators.end() ? -1 : static_cast<int>(found - loops.iterators.begin());
  }

  // Of an operand of a leaf, by the op's loops.
  Share share_of_leaf(const ir::LoopNest* loops, std::size_t operand) const {
    if (const auto known = share_by_loop()) return *known;
    const schedule::Strides& strides = op_.operands[operand].strides;
    if (loops == nullptr || loops->stages.size() != 1 || strides.empty()) return {};
    const int along = divided_iterator(*loops);
    std::optional<Share> share;
    for (const ir::ScalarExpr* access : ir::operand_accesses(loops->result().body)) {
      if (access->number != static_cast<int>(operand)) continue;
      const auto address = schedule::strided_access(*access, strides, loops->iterators.size());
      const bool is_one = !share && along >= 0 && address && address->symbolic_offsets.empty();
      if (!is_one || !address->divided.empty()) return {};
      share = divided(loops->iterators, along, loop_->step, {address->strides, address->offset});
    }
    return share.value_or(Share{});
  }

  // Row-major.
  Address address_of(const ir::Stage& stage) const {
    Address address{std::vector<ir::Dim>(op_.tree.iterators.size(), ir::Dim(0)), 0};
    ir::Dim stride = 1;
    const std::vector<int>& target = stage.target;
    for (auto iterator = target.rbegin(); iterator != target.rend(); ++iterator) {
      const auto i = static_cast<std::size_t>(*iterator);
      address.strides[i] = stride;
      stride = stride * op_.nest->iterators[i].extent;
    }
    // Of some of a product's columns.
    const auto number = &stage - op_.nest->stages.data();
    const auto product = std::ranges::find(op_.products, number, &schedule::ProductStage::stage);
    if (product != op_.products.end()) {
      address.strides[static_cast<std::size_t>(target[0])] = op_.parts[product->part].value->type().shape.back();
    }
    return address;
  }

  const ScheduledOp& op_;
  const FunctionPlan& plan_;
  const TileNode* const loop_;
  std::vector<Touch> touches_;
};

bool overlap(const Place& a, const Place& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == Place::Kind::kArena) return a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
  return a.number == b.number;
}

// Whether every thread stays in a part of its own, that of the other touch too.
bool stay_apart(const Touch& a, const Touch& b) {
  const Share& x = a.share;
  const Share& y = b.share;
  if (x.kind != y.kind || x.kind == Share::Kind::kAny) return false;
  if (x.kind == Share::Kind::kFirst) return true;
  if (!(x.extent == y.extent) || x.step != y.step || x.stride != y.stride) return false;
  const std::int64_t begin = std::min(a.place.offset + x.begin, b.place.offset + y.begin);
  const std::int64_t end = std::max(a.place.offset + x.end, b.place.offset + y.end);
  return end - begin <= x.stride;
}

}  // namespace

std::vector<Touch> touches(const ScheduledOp& op, const FunctionPlan& plan) { return Toucher(op, plan).run(); }

bool conflict(const Touch& a, const Touch& b) { return (a.is_written || b.is_written) && overlap(a.place, b.place); }

std::vector<Touch> shared_touches(const ScheduledOp& op, const FunctionPlan& plan) {
  return op.is_call() ? std::vector<Touch>() : touches(op, plan);
}

bool Unfinished::meets(const ScheduledOp& op, const std::vector<Touch>& touched) const {
  if (op.is_call()) return !touched_.empty();
  return std::ranges::any_of(touched, [&](const Touch& now) {
    return std::ranges::any_of(touched_, [&](const Touch& before) { return meet(before, now); });
  });
}

void Unfinished::add(const ScheduledOp& op, const std::vector<Touch>& touched) {
  if (schedule::has_barrier_inside(op.tree)) finish();
  touched_.insert(touched_.end(), touched.begin(), touched.end());
}

bool meet(const Touch& a, const Touch& b) { return conflict(a, b) && !stay_apart(a, b); }

}  // namespace strata::buffer
