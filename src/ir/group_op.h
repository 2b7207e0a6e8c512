// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "ir/op.h"

namespace strata::ir {

// What an op is too whose result depends on which device of a mesh computes it, or on what others have: one that moves
// values between ranks, or takes a rank's part. Its attributes `mesh` and `ranks` say along which axis of the mesh, 0
// the outermost, and how many devices are there.
class GroupOp {
 public:
  virtual ~GroupOp() = default;

  // What each of the devices along the axis has of the result; `operands`: of each, in the order of their ranks.
  virtual std::vector<std::vector<double>> evaluate_group(std::span<const std::vector<Value>> operands,
                                                          const Attributes& attributes,
                                                          const TensorType& result) const = 0;
};

// Null for an op that each device computes of its own operands.
inline const GroupOp* group_op(const Op& op) { return dynamic_cast<const GroupOp*>(&op); }

}  // namespace strata::ir
