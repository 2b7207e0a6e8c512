// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "codegen/code_writer.h"
#include "schedule/schedule.h"

namespace strata::codegen {

// What the emission of one kernel call needs to know.
struct KernelCall {
  const schedule::ScheduledOp& op;
  std::vector<std::string> operands;  // pointer expressions
  std::string destination;            // pointer expression; for an update in place, the operand's
  std::int64_t lanes = 1;             // f32 lanes of the machine

  // Elements between the neighbours of an operand's outermost axis.
  std::string outer_stride(std::size_t operand) const { return cpp_size(op.operands[operand].strides.at(0)); }
  const ir::TensorType& type(std::size_t operand) const { return op.value->arguments[operand]->type(); }
};

// Emits an op of form kContract or kKernel as calls of the tensor library.
void emit_kernel(CodeWriter& out, const KernelCall& call);

}  // namespace strata::codegen
