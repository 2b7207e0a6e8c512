// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "buffer/scratch_plan.h"
#include "codegen/code_writer.h"
#include "codegen/stage_code.h"
#include "machine/machine.h"
#include "schedule/schedule.h"

namespace strata::codegen {

// Emits an op by one walk over its tile tree: a loop for each loop, and at the leaves the call of the tensor library or
// the op's own scalar body. The barrier before the op stands outside of that. The tree's buffers lie in the thread's
// scratch memory where `scratch` says.
void emit_tree(CodeWriter& out, const schedule::ScheduledOp& op, const std::vector<OperandCode>& operands,
               const std::string& destination, const buffer::ScratchPlan& scratch, const machine::Machine& machine);

}  // namespace strata::codegen
