// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "machine/machine.h"
#include "schedule/schedule.h"

namespace strata::schedule {

// Gives a product in blocks, or a region with such products, whose threads share its columns, the tree in which a team
// of `threads` shares its rows too, in units of the rows that it takes the least time with by prediction
// (cost::row_units), in these runs; none: at the largest sizes. Columns alone are shared where that is not faster by
// more than a hundredth. `leaving`: values of a region's parts that others read.
void share_rows(ScheduledOp& op, const machine::Machine& machine, const std::vector<const ir::Expr*>& leaving,
                std::span<const SizedRuns> runs, int threads);

// The same of all products of a function, whose trees are the default ones, and of the regions that are made of it.
void share_rows(ScheduledFunction& function, std::vector<SizedRuns> runs, const machine::Machine& machine, int threads);

}  // namespace strata::schedule
