// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "codegen/code_writer.h"
#include "codegen/stage_code.h"
#include "machine/machine.h"
#include "schedule/schedule.h"

namespace strata::codegen {

// Emits an op by one walk over its tile tree: a loop for each loop, and at the leaves the call of the tensor library or
// the op's own scalar body.
void emit_tree(CodeWriter& out, const schedule::ScheduledOp& op, const std::vector<OperandCode>& operands,
               const std::string& destination, const machine::Machine& machine);

}  // namespace strata::codegen
