// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "machine/machine.h"
#include "schedule/schedule.h"

namespace strata::schedule {

// The trees of own loops, of one op or several: loops that all stages have in common outside, and in them a loop nest
// for each group of stages, the innermost loop in `lanes`. Elements that later loops read are in a buffer, those that
// are read at once in lanes alone. `leaving`: values that something else reads, so that they are kept in memory of
// their own.

// The outermost common loop that is longer than one step is divided among the threads; elementwise ops in pieces of a
// grain of the machine's, so that small ones stay on one thread.
TileTree own_loops_tree(const ScheduledOp& op, std::int64_t lanes, const machine::Machine& machine,
                        const std::vector<const ir::Expr*>& leaving);

// In tiles of the rows that the op's leaf takes, each of which `leaf` then reads.
TileTree own_loops_before(const ScheduledOp& op, std::int64_t lanes, const machine::Machine& machine,
                          const std::vector<const ir::Expr*>& leaving, TileNode leaf, bool keeps_result);

// What stands inside of loops over `outer`, the first iterators of every stage; without the stages that products make.
std::vector<TileNode> own_loops_inside(const ScheduledOp& op, std::int64_t lanes, const machine::Machine& machine,
                                       const std::vector<const ir::Expr*>& leaving, std::vector<int> outer);

}  // namespace strata::schedule
