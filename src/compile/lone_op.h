// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codegen/program.h"
#include "schedule/tile_choice.h"

namespace strata::compile {

// A program of one function that does what one op, or one region, of another program does, and nothing else: to run
// it in the tiles of one choice or another. What the op reads are parameters, through the same views; what it makes,
// results.
struct LoneOp {
  codegen::PlannedVersion planned;
  std::size_t op = 0;                    // of the function's, the one that has code
  std::vector<const ir::Expr*> leaving;  // of a region: the parts' values that are results too
  std::vector<bool> is_streamed;         // by parameter: it comes from the outermost memory, a weight or a cache

  const schedule::ScheduledFunction& function() const { return planned.schedule.front(); }
  const buffer::FunctionPlan& buffers() const { return planned.buffers.at(function().function); }
};

// Nothing where the op can't be had by itself as it is planned: it updates memory in place, or is another region alone.
std::optional<LoneOp> lone_op(const codegen::PlannedVersion& planned, const schedule::ScheduledFunction& function,
                              const schedule::ScheduledOp& op, const machine::Machine& machine);

// Gives it the tree of a choice, with buffers and barriers; `tag` is then its version's. Predicted times are left out,
// so that ops with the same code have the same text.
void set_tiles(LoneOp& lone, const schedule::TileChoice& choice, const std::string& tag,
               const machine::Machine& machine);

}  // namespace strata::compile
