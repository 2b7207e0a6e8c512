// SPDX-License-Identifier: Apache-2.0
#include "schedule/op_cost.h"

#include "ir/op.h"
#include "machine/cost.h"

namespace strata::schedule {
namespace {

// Unlike ir::concrete_type it takes any size: a mean context need not be one that the code admits.
ir::TensorType sized(ir::TensorType type, const std::map<std::string, std::int64_t>& sizes) {
  for (ir::Dim& dim : type.shape) {
    if (dim.is_constant()) continue;
    const auto size = sizes.find(dim.symbol()->name);
    dim = ir::Dim(size == sizes.end() ? dim.max() : dim.factor() * size->second);
  }
  return type;
}

// An op that could be a view costs nothing by itself: where code is made for it, that is a copy.
ir::Work work_of(const ir::Expr& value, const std::vector<ir::TensorType>& operands, const ir::TensorType& result) {
  const bool is_copy = value.op->aliased_operand() && !value.op->writes_alias();
  if (!is_copy) return value.op->work(operands, value.attributes, result);
  const auto bytes = static_cast<double>(ir::max_bytes(result));
  return {0, bytes, bytes};
}

}  // namespace

OpCost op_cost(const ir::Expr& value, const machine::Machine& machine, const std::map<std::string, std::int64_t>& sizes,
               int threads) {
  std::vector<ir::TensorType> types;
  for (const ir::Expr* argument : value.arguments) types.push_back(sized(argument->type(), sizes));
  const ir::Work work = work_of(value, types, sized(value.type(), sizes));
  const double bytes = work.read_bytes + work.written_bytes;
  machine::Work cost;
  cost.ops = work.flops;
  const DType operand = types.empty() ? DType::kF32 : types[0].dtype;
  cost.unit = machine::dot_unit(machine, operand);
  if (cost.unit == nullptr) cost.unit = machine::fma_unit(machine, DType::kF32);
  cost.bytes.assign(machine.memory.size(), 0.0);
  cost.bytes[machine::level_holding(machine, bytes, threads)] = bytes;
  cost.threads = threads;
  return {work.flops, bytes, machine::seconds(machine, cost)};
}

}  // namespace strata::schedule
