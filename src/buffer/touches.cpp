// SPDX-License-Identifier: Apache-2.0
#include "buffer/touches.h"

#include <algorithm>

namespace strata::buffer {
namespace {

using schedule::ScheduledOp;
using schedule::TileNode;
using Kind = TileNode::Kind;

// The nodes that give work to threads.
void find_divisions(const std::vector<TileNode>& nodes, std::vector<const TileNode*>& found) {
  for (const TileNode& node : nodes) {
    if (node.kind == Kind::kParallel || node.kind == Kind::kOnce) {
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

// Distances by iterator, in elements.
struct Address {
  std::vector<ir::Dim> strides;
  std::int64_t offset = 0;
};

// The shares of a loop over threads: what the other iterators reach must lie within its stride.
Share divided(const ScheduledOp& op, const TileNode& loop, const Address& address, std::int64_t element_bytes) {
  const auto& iterators = op.tree.iterators;
  std::int64_t first = address.offset;
  std::int64_t last = address.offset;
  for (std::size_t i = 0; i < iterators.size(); ++i) {
    const ir::Dim& stride = address.strides[i];
    const bool is_fixed = stride.is_constant() && (stride == ir::Dim(0) || iterators[i].extent.is_constant());
    if (static_cast<int>(i) == loop.iterator) continue;
    if (!is_fixed) return {};
    const std::int64_t reach = stride.factor() * (iterators[i].extent.max() - 1);
    (reach < 0 ? first : last) += stride == ir::Dim(0) ? 0 : reach;
  }
  const ir::Dim& step = address.strides[static_cast<std::size_t>(loop.iterator)];
  if (!step.is_constant() || step.factor() < last + 1 - first) return {};
  return {Share::Kind::kDivided,
          iterators[static_cast<std::size_t>(loop.iterator)].extent,
          loop.step,
          first * element_bytes,
          (last + 1) * element_bytes,
          step.factor() * element_bytes};
}

class Toucher {
 public:
  Toucher(const ScheduledOp& op, const FunctionPlan& plan) : op_(op), plan_(plan), loop_(division(op.tree)) {}

  std::vector<Touch> run() {
    if (op_.nest) {
      for (const schedule::StridedAccess& access : op_.nest->accesses) {
        const bool is_strided = access.symbolic_offsets.empty() && access.divided.empty();
        const auto address = is_strided ? std::optional(Address{access.strides, access.offset}) : std::nullopt;
        add(op_.inputs[static_cast<std::size_t>(access.operand)], 0, false, address);
      }
      for (const schedule::ProductStage& product : op_.products) {
        for (const ir::Expr* operand : op_.parts[product.part].value->arguments) add(operand, 0, false, std::nullopt);
      }
      for (std::size_t stage = 0; stage < op_.made.size(); ++stage) {
        const ir::Expr* const value = op_.made[stage];
        if (value != nullptr && plan_.has_place(value)) add(value, 0, true, address_of(op_.nest->stages[stage]));
      }
      if (op_.leaf->domain != cost::Leaf::Domain::kOwn) add(op_.value, 0, true, std::nullopt);
      return std::move(touches_);
    }
    for (const ir::Expr* argument : op_.value->arguments) {
      if (argument->kind != ir::Expr::Kind::kScalar) add(argument, 0, false, std::nullopt);
    }
    for (std::size_t i = 0; i < op_.value->types.size(); ++i) {
      add(op_.value, static_cast<std::int64_t>(i), true, std::nullopt);
    }
    return std::move(touches_);
  }

 private:
  void add(const ir::Expr* value, std::int64_t index, bool is_written, const std::optional<Address>& address) {
    const Place& place = plan_.place(value, index);
    if (place.kind == Place::Kind::kWeight || place.kind == Place::Kind::kScalar) return;
    touches_.push_back(
        {place, is_written, share(address, dtype_size(value->types[static_cast<std::size_t>(index)].dtype))});
  }

  // A share of less than one step is all that there is, and thread 0's.
  Share share(const std::optional<Address>& address, std::int64_t element_bytes) const {
    if (loop_ == nullptr) return {};
    if (loop_->kind == Kind::kOnce) return {.kind = Share::Kind::kFirst};
    if (schedule::divided_inside(*loop_) != nullptr) return {};
    const schedule::TileIterator& iterator = op_.tree.iterators[static_cast<std::size_t>(loop_->iterator)];
    if (iterator.extent.max() <= loop_->step) return {.kind = Share::Kind::kFirst};
    return address ? divided(op_, *loop_, *address, element_bytes) : Share{};
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

bool meet(const Touch& a, const Touch& b) {
  return (a.is_written || b.is_written) && overlap(a.place, b.place) && !stay_apart(a, b);
}

}  // namespace strata::buffer
