// SPDX-License-Identifier: Apache-2.0
#include "schedule/op_cost.h"

namespace strata::schedule {

cost::OpCost op_cost(const ScheduledOp& op, const machine::Machine& machine, const cost::Sizes& sizes, int threads) {
  const ir::Expr& value = *op.value;
  if (op.form == Form::kView) return {};
  std::vector<cost::Operand> operands;
  std::vector<ir::TensorType> types;
  for (std::size_t i = 0; i < value.arguments.size(); ++i) {
    types.push_back(value.arguments[i]->type());
    operands.push_back({types.back(), op.residences[i]});
  }
  if (cost::lowering(*value.op, types, value.attributes, value.type()) == cost::Lowering::kView) {
    return cost::copy_cost(value.type(), sizes, machine, threads);
  }
  return cost::op_cost(*value.op, operands, value.attributes, value.type(), sizes, machine, threads);
}

}  // namespace strata::schedule
