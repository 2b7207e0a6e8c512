// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "codegen/code_writer.h"
#include "schedule/schedule.h"

namespace strata::codegen {

// An operand as the loops read it: a pointer expression, or for a constant the value itself.
struct OperandCode {
  std::string pointer;
  std::string scalar;  // not empty: a float expression
};

// Emits the loops of a structured op from its nest and tile tree: reductions and maps of the tensor library around the
// declared scalar body, `lanes` floats at a time where every access is contiguous or uniform in the innermost iterator,
// one at a time otherwise.
void emit_loops(CodeWriter& out, const schedule::ScheduledOp& op, const std::vector<OperandCode>& operands,
                const std::string& destination, std::int64_t lanes);

}  // namespace strata::codegen
