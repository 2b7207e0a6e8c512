// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

#include "buffer/buffer_plan.h"
#include "machine/machine.h"
#include "schedule/schedule.h"

namespace strata::compile {

// What one thread alone would compute while the others wait, such as a norm of one row, each thread computes for itself
// where the function is then predicted to take less time: those that read it don't wait. Of a function without calls,
// and of what nothing else writes and nobody outside reads. `callees` has the plans of all functions that are called.
void compute_in_each_thread(schedule::ScheduledFunction& function,
                            const std::map<const ir::Function*, buffer::FunctionPlan>& callees,
                            const machine::Machine& machine, int threads);

}  // namespace strata::compile
