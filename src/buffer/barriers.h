// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "buffer/buffer_plan.h"

namespace strata::buffer {

// Where the threads of a team hand data to one another, all of them must have come: there stands a barrier. What an op
// touches behind the last barrier, and which thread does, is known from its tile tree and its places (touches.h). Other
// functions are known by one rule: nothing is unfinished when one is called, nor when it returns.

// Writes barriers into the trees of functions that have none: before every op that meets what another thread may have
// touched, and at a function's end.
void place_barriers(std::vector<schedule::ScheduledFunction>& functions,
                    const std::map<const ir::Function*, FunctionPlan>& plans);

// The same for one function.
void place_barriers(schedule::ScheduledFunction& function, const FunctionPlan& plan);

// Takes out what place_barriers() has written.
void remove_barriers(std::vector<schedule::ScheduledFunction>& functions);

// The numbers of the ops, rising, before which place_barriers() would write one.
std::vector<std::size_t> ops_behind_barriers(const schedule::ScheduledFunction& function, const FunctionPlan& plan);

// How many it would write.
int barriers_of(const schedule::ScheduledFunction& function, const FunctionPlan& plan);

// Throws std::logic_error naming the op before which a barrier is missing, or which each thread would compute in memory
// that is not its own. More barriers than necessary are no fault.
void verify_barriers(const schedule::ScheduledFunction& function, const FunctionPlan& plan);

}  // namespace strata::buffer
