// SPDX-License-Identifier: Apache-2.0
#include "schedule/view_plan.h"

#include <algorithm>

#include "ir/constants.h"
#include "ir/op.h"

namespace strata::schedule {
namespace {

using ir::Expr;

// Outer axes of a leaf's operand whose stride is an argument of its call; the axes inside of them lie contiguously.
std::size_t strided_axes(const cost::Leaf& leaf, const ir::LoopNest* loops, std::size_t operand) {
  if (leaf.strided == "0") return operand == 0 ? 1 : 0;
  if (leaf.strided.empty() || !loops) return 0;
  return ir::find_operand(ir::form_operands(*loops), leaf.strided) == static_cast<int>(operand) ? 1 : 0;
}

}  // namespace

ir::LoopNest identity_nest(const ir::Shape& shape) {
  ir::LoopNest nest;
  ir::Stage stage;
  stage.name = "y";
  stage.body.kind = ir::ScalarExpr::Kind::kOperand;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    nest.iterators.push_back({"i" + std::to_string(i), shape[i]});
    stage.target.push_back(static_cast<int>(i));
    stage.body.index.push_back({std::vector<std::int64_t>(shape.size(), 0), 0, {}});
    stage.body.index.back().coefficients[i] = 1;
  }
  nest.stages.push_back(std::move(stage));
  return nest;
}

std::shared_ptr<const ir::LoopNest> loops_of(const Expr& value) {
  const bool keeps_order = ir::is_view_by_contract(value);
  if (keeps_order || ir::changes_lanes_only(value)) {
    return std::make_shared<const ir::LoopNest>(identity_nest(value.arguments[0]->type().shape));
  }
  std::vector<ir::TensorType> types;
  for (const Expr* argument : value.arguments) types.push_back(argument->type());
  return value.op->loops(types, value.attributes);
}

const cost::Leaf* leaf_of(const Expr& value) {
  std::vector<ir::TensorType> types;
  for (const Expr* argument : value.arguments) types.push_back(argument->type());
  return cost::find_leaf(*value.op, types, value.attributes, value.type());
}

ViewPlan::ViewPlan(const ir::Function& function, const ir::MemorySummaries& callees)
    : function_(function),
      callees_(callees),
      memory_([this](const Expr& value) { return views_.contains(&value); }, callees),
      constants_(ir::constants(function)),
      order_(ir::topological_order(function)) {
  for (std::size_t i = 0; i < order_.size(); ++i) {
    time_[order_[i]] = static_cast<std::int64_t>(i);
    for (std::size_t a = 0; a < order_[i]->arguments.size(); ++a) {
      uses_[order_[i]->arguments[a]].push_back({order_[i], a, static_cast<std::int64_t>(i)});
    }
  }
  // A value that is copied changes how the views of it lie, and what their users can read.
  for (bool changed = true; changed;) {
    changed = false;
    resolve();
    collect_writes();
    for (const Expr* value : order_) {
      if (!views_.contains(value) || !must_copy(value)) continue;
      copied_[value] = changed = true;
    }
  }
}

const View* ViewPlan::find(const Expr* value) const {
  const auto found = views_.find(value);
  return found == views_.end() ? nullptr : &found->second;
}

View ViewPlan::of(const Expr* value) const {
  const View* const view = find(value);
  return view == nullptr ? own_memory(value->type()) : *view;
}

void ViewPlan::resolve() {
  views_.clear();
  for (const Expr* value : order_) {
    if (value->kind != Expr::Kind::kOp || value->arguments.empty() || constants_.contains(value)) continue;
    if (copied_.contains(value)) continue;
    if (auto view = view_of(*value, of(value->arguments[0]))) views_[value] = std::move(*view);
  }
}

void ViewPlan::collect_writes() {
  writes_.clear();
  for (const Expr* value : order_) {
    if (value->kind == Expr::Kind::kGet) continue;
    for (std::size_t i = 0; i < value->arguments.size(); ++i) {
      if (keeps(*value, i)) writes_.push_back({memory_.root(value->arguments[i]), time_.at(value)});
    }
  }
}

// Whether the user writes the operand's memory, or hands it on as its result.
bool ViewPlan::keeps(const Expr& user, std::size_t operand) const {
  const auto written = memory_.written_operands(user);
  if (std::ranges::find(written, operand) != written.end()) return true;
  if (user.kind != Expr::Kind::kCall) return false;
  const auto& results = callees_.at(user.callee).result_parameter;
  return std::ranges::find(results, operand) != results.end();
}

bool ViewPlan::must_copy(const Expr* value) const {
  if (is_overwritten_before_use(value)) return true;
  if (std::ranges::find(function_.results, value) != function_.results.end() && !is_free_result(value)) return true;
  const auto uses = uses_.find(value);
  if (uses == uses_.end()) return false;
  return !std::ranges::all_of(uses->second, [&](const Use& use) { return accepts(*use.user, use.operand); });
}

bool ViewPlan::accepts(const Expr& user, std::size_t operand) const {
  if (views_.contains(&user)) return true;
  const Expr* const value = user.arguments[operand];
  const View& view = views_.at(value);
  if (keeps(user, operand)) return view.whole;
  if (is_contiguous(view, value->type())) return true;
  if (user.kind != Expr::Kind::kOp) return false;
  const cost::Leaf* const leaf = leaf_of(user);
  if (leaf == nullptr) return false;
  if (leaf->domain != cost::Leaf::Domain::kOwn && leaf->domain != cost::Leaf::Domain::kView) {
    return is_contiguous(view, value->type(), strided_axes(*leaf, loops_of(user).get(), operand));
  }
  std::vector<Strides> operands;
  for (const Expr* argument : user.arguments) operands.push_back(of(argument).strides);
  const auto loops = loops_of(user);
  return loops && strided_nest(*loops, operands).has_value();
}

// A view that is made of this one reads it when it is made: what happens afterwards is for that view to mind.
bool ViewPlan::is_overwritten_before_use(const Expr* value) const {
  const ir::Tensor memory = memory_.root(value);
  const auto uses = uses_.find(value);
  const bool is_result = std::ranges::find(function_.results, value) != function_.results.end();
  return std::ranges::any_of(writes_, [&](const Write& write) {
    if (write.memory != memory || write.time <= time_.at(value)) return false;
    if (is_result && time_.at(value) < write.time) return true;
    return uses != uses_.end() && std::ranges::any_of(uses->second, [&](const Use& use) {
             return write.time < use.time || (write.time == use.time && !keeps(*use.user, use.operand));
           });
  });
}

// A result is all of its memory, which is no constant and no other result's.
bool ViewPlan::is_free_result(const Expr* value) const {
  const ir::Tensor memory = memory_.root(value);
  if (!views_.at(value).whole || constants_.contains(memory.first)) return false;
  // Of several results in one memory the tensor itself keeps it, or else the first.
  const auto first = std::ranges::find_if(function_.results, [&](const Expr* r) { return memory_.root(r) == memory; });
  const bool has_tensor = std::ranges::find(function_.results, memory.first) != function_.results.end();
  return *first == value && !has_tensor;
}

}  // namespace strata::schedule
