// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "ir/expr.h"

namespace strata::ir {

// What an op needs of each operand to make a slice of its result: a slice of it, as attributes of the op `slice`, or
// nothing, which is all of it.
using OperandSlices = std::vector<std::optional<Attributes>>;

// From how the op can be divided (SbpSignature): where an iterator runs along the sliced axis, and along all of an axis
// of an operand, that axis is sliced alike. Nothing where the op is not known to make each part of the axis by itself.
std::optional<OperandSlices> operand_slices(const Op& op, std::span<const TensorType> operands,
                                            const Attributes& attributes, const TensorType& result,
                                            const Attributes& slice);

}  // namespace strata::ir
