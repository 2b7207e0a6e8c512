// SPDX-License-Identifier: Apache-2.0
#include "cost/op_cost.h"

#include <limits>

#include "cost/division.h"
#include "cost/leaf.h"
#include "cost/work_counter.h"

namespace strata::cost {

OpCost op_cost(const ir::Op& op, std::span<const Operand> operands, const ir::Attributes& attributes,
               const ir::TensorType& result, const machine::Machine& machine, const Run& run) {
  std::vector<ir::TensorType> types;
  for (const Operand& operand : operands) types.push_back(operand.type);
  const Leaf* const leaf = find_leaf(op, types, attributes, result);
  if (leaf == nullptr) return {std::numeric_limits<double>::infinity(), "no code"};
  return leaf_cost(*leaf, op, operands, attributes, result, machine, run);
}

OpCost leaf_cost(const Leaf& leaf, const ir::Op& op, std::span<const Operand> operands,
                 const ir::Attributes& attributes, const ir::TensorType& result, const machine::Machine& machine,
                 const Run& run) {
  if (leaf.domain == Leaf::Domain::kView) return {};
  const bool is_copied = machine::managed_level(machine) != nullptr;
  if (is_copied && !leaf.takes_copies) return {std::numeric_limits<double>::infinity(), "no copies"};
  WorkCounter counter(op, operands, attributes, result, machine, run);
  if (run.threads > 1) counter.divide(run.pieces ? *run.pieces : pieces(counter, leaf));
  leaf.count(counter);
  return counter.cost();
}

OpWork op_work(const ir::Op& op, std::span<const Operand> operands, const ir::Attributes& attributes,
               const ir::TensorType& result, const Sizes& sizes) {
  std::vector<ir::TensorType> types;
  for (const Operand& operand : operands) types.push_back(sized(operand.type, sizes));
  const ir::Work work = op.work(types, attributes, sized(result, sizes));
  return {work.flops, work.read_bytes + work.written_bytes};
}

OpCost copy_cost(const ir::TensorType& result, const machine::Machine& machine, const Run& run) {
  const double bytes = bytes_of(sized(result, run.sizes));
  const int level = machine::level_holding(machine, 2 * bytes, run.threads);
  machine::Work work;
  work.bytes.assign(machine.memory.size(), 0.0);
  work.written = work.bytes;
  work.bytes[static_cast<std::size_t>(level)] = bytes;
  work.written[static_cast<std::size_t>(level)] = bytes;
  work.starts = 1;
  work.threads = run.threads;
  work.barriers = run.barriers;
  return {machine::seconds(machine, work), machine.memory[static_cast<std::size_t>(level)].name};
}

OpWork copy_work(const ir::TensorType& result, const Sizes& sizes) { return {0, 2 * bytes_of(sized(result, sizes))}; }

}  // namespace strata::cost
