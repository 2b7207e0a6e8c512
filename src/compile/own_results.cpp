// SPDX-License-Identifier: Apache-2.0
#include "compile/own_results.h"

#include <algorithm>
#include <optional>

#include "buffer/barriers.h"
#include "buffer/touches.h"
#include "machine/cost.h"
#include "schedule/op_cost.h"

namespace strata::compile {
namespace {

using buffer::FunctionPlan;
using buffer::Touch;
using schedule::ScheduledFunction;
using schedule::ScheduledOp;

// Whether all that the op writes is the function's own memory, in which nothing else is written.
bool writes_alone(const ScheduledFunction& function, const ScheduledOp& op, const FunctionPlan& apart) {
  for (const Touch& written : buffer::touches(op, apart)) {
    if (!written.is_written) continue;
    if (written.place.kind != buffer::Place::Kind::kArena) return false;
    for (const ScheduledOp& other : function.ops) {
      if (&other == &op || !other.has_code()) continue;
      const auto touched = buffer::touches(other, apart);
      if (std::ranges::any_of(touched, [&](const Touch& t) { return t.is_written && conflict(t, written); })) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace

void compute_in_each_thread(ScheduledFunction& function, const std::map<const ir::Function*, FunctionPlan>& callees,
                            const machine::Machine& machine, int threads) {
  // What a thread has for itself would take a place in a managed level for longer than an op.
  if (machine::managed_level(machine) != nullptr) return;
  if (threads == 1 || std::ranges::any_of(function.ops, &ScheduledOp::is_call)) return;
  FunctionPlan apart = buffer::plan_apart(function, callees);
  int barriers = buffer::barriers_of(function, apart);
  for (ScheduledOp& op : function.ops) {
    if (!op.has_code() || op.leaf->domain != cost::Leaf::Domain::kOwn) continue;
    std::optional<schedule::TileTree> each = schedule::in_each_thread(op.tree);
    if (!each || !writes_alone(function, op, apart)) continue;
    std::swap(op.tree, *each);
    const double seconds = schedule::op_cost(op, machine, {}, threads).seconds;
    FunctionPlan tried = buffer::plan_apart(function, callees);
    const int left = buffer::barriers_of(function, tried);
    if (seconds + machine.barrier_s * left < op.predicted_s + machine.barrier_s * barriers) {
      op.predicted_s = seconds;
      barriers = left;
      apart = std::move(tried);
    } else {
      std::swap(op.tree, *each);
    }
  }
}

}  // namespace strata::compile
