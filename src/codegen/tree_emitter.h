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

// C++ names of what a region reads and writes.
struct RegionCode {
  std::vector<OperandCode> inputs;                      // of its own loops
  std::vector<std::string> operands;                    // of its leaf: pointers
  std::vector<std::vector<std::string>> products = {};  // of the leaves of its products: the same
  std::string result;                                   // a pointer
  std::map<int, std::string> values = {};               // of its parts, by stage: pointers to those that have memory
};

// Emits a region by one walk over its tile tree: a loop for each loop, and at the leaves the call of the tensor library
// or the ops' own scalar bodies. The barrier before it stands outside of that. The tree's buffers lie in the thread's
// scratch memory where `scratch` says.
void emit_tree(CodeWriter& out, const schedule::ScheduledOp& op, const RegionCode& code,
               const buffer::ScratchPlan& scratch, const machine::Machine& machine);

}  // namespace strata::codegen
