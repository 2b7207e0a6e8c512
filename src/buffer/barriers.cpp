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

// Where barriers are necessary.
struct Waits {
  std::vector<std::size_t> ops;  // before these
  bool at_end = false;
};

Waits waits_of(const ScheduledFunction& function, const FunctionPlan& plan) {
  Waits waits;
  Unfinished unfinished;
  for (std::size_t i = 0; i < function.ops.size(); ++i) {
    const ScheduledOp& op = function.ops[i];
    if (!op.has_code()) continue;
    const std::vector<Touch> touched = shared_touches(op, plan);
    if (unfinished.meets(op, touched)) {
      waits.ops.push_back(i);
      unfinished.finish();
    }
    unfinished.add(op, touched);
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

std::vector<std::size_t> ops_behind_barriers(const ScheduledFunction& function, const FunctionPlan& plan) {
  return waits_of(function, plan).ops;
}

int barriers_of(const ScheduledFunction& function, const FunctionPlan& plan) {
  const auto waits = waits_of(function, plan);
  return static_cast<int>(waits.ops.size()) + (waits.at_end ? 1 : 0);
}

void place_barriers(std::vector<ScheduledFunction>& functions,
                    const std::map<const ir::Function*, FunctionPlan>& plans) {
  for (ScheduledFunction& function : functions) place_barriers(function, plans.at(function.function));
}

void remove_barriers(std::vector<ScheduledFunction>& functions) {
  for (ScheduledFunction& function : functions) {
    for (ScheduledOp& op : function.ops) {
      if (schedule::first_barrier(op.tree) != nullptr) op.tree.body.erase(op.tree.body.begin());
    }
    std::erase_if(function.end.body, is_barrier);
  }
}

namespace {

bool writes(const ScheduledOp& op, Place::Kind kind, const FunctionPlan& plan) {
  const auto is_there = [&](const ir::Expr* value) { return plan.has_place(value) && plan.place(value).kind == kind; };
  return is_there(op.value) ||
         std::ranges::any_of(op.made, [&](const ir::Expr* made) { return made != nullptr && is_there(made); });
}

// What each thread makes lies in its own memory, and nothing else is made there.
void verify_owners(const ScheduledFunction& function, const FunctionPlan& plan) {
  const auto names = ir::value_names(*function.function);
  for (const ScheduledOp& op : function.ops) {
    if (!op.has_code() || op.is_call()) continue;
    const bool is_each = schedule::is_in_each_thread(op.tree);
    const bool is_shared = writes(op, Place::Kind::kArena, plan) || writes(op, Place::Kind::kParameter, plan) ||
                           writes(op, Place::Kind::kResult, plan);
    if (is_each ? !is_shared : !writes(op, Place::Kind::kOwn, plan)) continue;
    throw std::logic_error("@" + function.function->name + ": " + names.at(op.value) +
                           (is_each ? " is made by each thread in memory that they share"
                                    : " is not made by each thread, but written to memory that each has"));
  }
  const bool has_calls = std::ranges::any_of(function.ops, &ScheduledOp::is_call);
  const bool has_own =
      std::ranges::any_of(function.ops, [](const ScheduledOp& op) { return schedule::is_in_each_thread(op.tree); });
  if (has_calls && has_own) {
    throw std::logic_error("@" + function.function->name +
                           ": what each thread makes lies where the functions that are called work");
  }
}

}  // namespace

void verify_barriers(const ScheduledFunction& function, const FunctionPlan& plan) {
  verify_owners(function, plan);
  const auto fail = [&](const std::string& where, const std::string& why) {
    throw std::logic_error("@" + function.function->name + ": a barrier is missing " + where + ": " + why);
  };
  const auto names = ir::value_names(*function.function);
  Unfinished unfinished;
  for (const ScheduledOp& op : function.ops) {
    if (!op.has_code()) continue;
    if (schedule::first_barrier(op.tree) != nullptr) unfinished.finish();
    const std::vector<Touch> touched = shared_touches(op, plan);
    if (unfinished.meets(op, touched)) {
      const std::string name = names.at(op.value);
      fail("before " + name, op.is_call() ? "what is called may touch what other threads are at work on"
                                          : "its threads meet what others are at work on");
    }
    unfinished.add(op, touched);
    if (!op.tree.body.empty() && is_barrier(op.tree.body.back())) unfinished.finish();
  }
  const bool ends = schedule::first_barrier(function.end) != nullptr;
  if (!ends && !unfinished.is_empty()) fail("at the end", "the caller may touch what its threads are at work on");
}

}  // namespace strata::buffer
