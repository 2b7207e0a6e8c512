// SPDX-License-Identifier: Apache-2.0
#include "buffer/barriers.h"

#include <algorithm>
#include <stdexcept>

#include "buffer/touches.h"
#include "ir/op.h"
#include "ir/text.h"

namespace strata::buffer {
namespace {

using schedule::ScheduledFunction;
using schedule::ScheduledOp;
using schedule::TileNode;

bool is_barrier(const TileNode& node) { return node.kind == TileNode::Kind::kBarrier; }

// What a function's ops have touched since the last barrier.
class Unfinished {
 public:
  explicit Unfinished(const FunctionPlan& plan) : plan_(plan) {}

  // Whether all must have come before this op begins.
  bool meets(const ScheduledOp& op) const {
    if (op.is_call()) return !touched_.empty();
    return std::ranges::any_of(touches(op, plan_), [&](const Touch& now) {
      return std::ranges::any_of(touched_, [&](const Touch& before) { return meet(before, now); });
    });
  }
  bool is_empty() const { return touched_.empty(); }

  void finish() { touched_.clear(); }
  void add(const ScheduledOp& op) {
    if (op.is_call()) return;
    for (Touch& touch : touches(op, plan_)) touched_.push_back(std::move(touch));
  }

 private:
  const FunctionPlan& plan_;
  std::vector<Touch> touched_;
};

// Where barriers are necessary.
struct Waits {
  std::vector<std::size_t> ops;  // before these
  bool at_end = false;
};

Waits waits_of(const ScheduledFunction& function, const FunctionPlan& plan) {
  Waits waits;
  Unfinished unfinished(plan);
  for (std::size_t i = 0; i < function.ops.size(); ++i) {
    const ScheduledOp& op = function.ops[i];
    if (!op.has_code()) continue;
    if (unfinished.meets(op)) {
      waits.ops.push_back(i);
      unfinished.finish();
    }
    unfinished.add(op);
  }
  waits.at_end = !unfinished.is_empty();
  return waits;
}

}  // namespace

void place_barriers(ScheduledFunction& function, const FunctionPlan& plan) {
  const auto waits = waits_of(function, plan);
  const TileNode barrier{.kind = TileNode::Kind::kBarrier};
  for (const std::size_t op : waits.ops) {
    std::vector<TileNode>& body = function.ops[op].tree.body;
    body.insert(body.begin(), barrier);
  }
  if (waits.at_end) function.end.body.push_back(barrier);
}

int barriers_of(const ScheduledFunction& function, const FunctionPlan& plan) {
  const auto waits = waits_of(function, plan);
  return static_cast<int>(waits.ops.size()) + (waits.at_end ? 1 : 0);
}

void place_barriers(std::vector<ScheduledFunction>& functions,
                    const std::map<const ir::Function*, FunctionPlan>& plans) {
  for (ScheduledFunction& function : functions) place_barriers(function, plans.at(function.function));
}

void verify_barriers(const ScheduledFunction& function, const FunctionPlan& plan) {
  const auto fail = [&](const std::string& where, const std::string& why) {
    throw std::logic_error("@" + function.function->name + ": a barrier is missing " + where + ": " + why);
  };
  const auto names = ir::value_names(*function.function);
  Unfinished unfinished(plan);
  for (const ScheduledOp& op : function.ops) {
    if (!op.has_code()) continue;
    if (schedule::first_barrier(op.tree) != nullptr) unfinished.finish();
    if (unfinished.meets(op)) {
      const std::string name = names.at(op.value);
      fail("before " + name, op.is_call() ? "what is called may touch what other threads are at work on"
                                          : "its threads meet what others are at work on");
    }
    unfinished.add(op);
    if (!op.tree.body.empty() && is_barrier(op.tree.body.back())) unfinished.finish();
  }
  const bool ends = schedule::first_barrier(function.end) != nullptr;
  if (!ends && !unfinished.is_empty()) fail("at the end", "the caller may touch what its threads are at work on");
}

}  // namespace strata::buffer
