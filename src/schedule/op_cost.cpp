// SPDX-License-Identifier: Apache-2.0
#include "schedule/op_cost.h"

namespace strata::schedule {

cost::OpCost op_cost(const ScheduledOp& op, const machine::Machine& machine, const cost::Sizes& sizes, int threads) {
  const ir::Expr& value = *op.value;
  if (op.form == Form::kView) return {};
  std::vector<ir::TensorType> types;
  for (const cost::Operand& operand : op.sources) types.push_back(operand.type);
  if (cost::lowering(*value.op, types, value.attributes, value.type()) == cost::Lowering::kView) {
    return cost::copy_cost(value.type(), sizes, machine, threads);
  }
  cost::OpCost cost = cost::op_cost(*value.op, op.sources, value.attributes, value.type(), sizes, machine, threads);
  if (op.runs_once) cost.seconds += machine.memory.back().latency_s;
  return cost;
}

}  // namespace strata::schedule
