// SPDX-License-Identifier: Apache-2.0
#include "ops/named_op.h"

#include "base/error.h"

namespace strata::ops {

void NamedOp::require_rank(std::span<const ir::TensorType> operands, int operand, int rank) const {
  if (operands[operand].rank() == rank) return;
  throw usage_error(
      name_ + ": operand " + operand_names_[operand] + " has " + std::to_string(operands[operand].rank()) + " axes",
      "it takes " + std::to_string(rank));
}

void NamedOp::require_equal(std::span<const ir::TensorType> operands, std::pair<int, int> a,
                            std::pair<int, int> b) const {
  const ir::Dim& x = operands[a.first].shape[a.second];
  const ir::Dim& y = operands[b.first].shape[b.second];
  if (x == y) return;
  const auto text = [this](std::pair<int, int> axis) {
    return "axis " + std::to_string(axis.second) + " of operand " + operand_names_[axis.first];
  };
  throw usage_error(name_ + ": " + text(b) + " is " + y.text() + ", but " + text(a) + " is " + x.text(),
                    "the two must be equal");
}

void NamedOp::require_integers(std::span<const ir::TensorType> operands, int operand) const {
  const DType dtype = operands[operand].dtype;
  if (dtype == DType::kI32 || dtype == DType::kI64) return;
  throw usage_error(
      name_ + ": operand " + operand_names_[operand] + " is of " + std::string(dtype_name(dtype)) + " elements",
      "it takes i32 or i64");
}

ir::Work copy_work(std::span<const ir::TensorType> operands, const ir::TensorType& result) {
  ir::Work work;
  for (const ir::TensorType& operand : operands) work.read_bytes += static_cast<double>(ir::max_bytes(operand));
  work.written_bytes = static_cast<double>(ir::max_bytes(result));
  return work;
}

}  // namespace strata::ops
