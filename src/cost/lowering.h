// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "ir/op.h"

namespace strata::cost {

// How the code generator makes an op of given types.
enum class Lowering {
  kNone,        // it can't: such an op has no cost, and no plan may hold it
  kView,        // no code: another value's memory
  kLoops,       // the op's own loops, from its declaration; in vector lanes where the operands are packed
  kMatmulRow,   // packed matmul of one row: the right operand is streamed once
  kMatmulTile,  // packed matmul of many rows: register tiles
  kKernel,      // an op with a hand-written kernel
};

// The one answer to "is there code for this op on operands of these layouts", asked by the search and by the schedule.
Lowering lowering(const ir::Op& op, std::span<const ir::TensorType> operands, const ir::Attributes& attributes,
                  const ir::TensorType& result);

// That of a matmul_nt of these operands.
Lowering matmul_lowering(const ir::TensorType& left, const ir::TensorType& right);

// The lanes of the loops of an op with this lowering: those of the operands' pack; 1 for scalar code.
std::int64_t loop_lanes(std::span<const ir::TensorType> operands);

}  // namespace strata::cost
