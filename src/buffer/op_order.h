// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "buffer/buffer_plan.h"

namespace strata::buffer {

// An order of a function's ops with few barriers: as many ops as can run between two barriers stand there, each behind
// all that it reads and behind what touches the same memory, one of them writing. List scheduling (Graham 1966): of the
// ops that nothing stands before any more, the first in the order that there is which meets nothing of what has run
// since the last barrier; where all do, there is a barrier. Calls stay where they are. `apart`: of plan_apart().
std::vector<std::size_t> order_of_few_barriers(const schedule::ScheduledFunction& function, const FunctionPlan& apart);

}  // namespace strata::buffer
