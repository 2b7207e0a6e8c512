// SPDX-License-Identifier: Apache-2.0
#include "schedule/op_cost.h"

#include "schedule/view_plan.h"

namespace strata::schedule {

cost::OpCost op_cost(const ScheduledOp& op, const machine::Machine& machine, const cost::Sizes& sizes, int threads) {
  const ir::Expr& value = *op.value;
  if (op.is_view()) return {};
  const bool is_copied_view = leaf_of(value)->domain == cost::Leaf::Domain::kView;
  if (is_copied_view) return cost::copy_cost(value.type(), sizes, machine, threads);
  cost::OpCost cost = cost::op_cost(*value.op, op.sources, value.attributes, value.type(), sizes, machine, threads);
  if (op.runs_once) cost.seconds += machine.memory.back().latency_s;
  return cost;
}

}  // namespace strata::schedule
