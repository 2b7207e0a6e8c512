// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "machine/machine.h"
#include "schedule/schedule.h"

namespace strata::compile {

// Puts the ops of each function into the order of fewest barriers (buffer/op_order.h) where a team of `threads` is
// predicted to take less time so: what an op reads may have left the caches by then. Functions come behind those that
// they call; no op is in a region yet.
void order_ops(std::vector<schedule::ScheduledFunction>& functions, const machine::Machine& machine, int threads);

}  // namespace strata::compile
