// SPDX-License-Identifier: Apache-2.0
#include "schedule/op_cost.h"

#include "schedule/view_plan.h"

namespace strata::schedule {

cost::OpCost op_cost(const ScheduledOp& op, const machine::Machine& machine, const cost::Sizes& sizes, int threads) {
  const ir::Expr& value = *op.value;
  if (op.is_view()) return {};
  const bool is_copied_view = leaf_of(value)->domain == cost::Leaf::Domain::kView;
  const cost::Run run = {sizes, threads, op.runs_once};
  if (is_copied_view) return cost::copy_cost(value.type(), machine, run);
  return cost::op_cost(*value.op, op.sources, value.attributes, value.type(), machine, run);
}

}  // namespace strata::schedule
