// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cost/work_counter.h"

namespace strata::cost {

// Counts the op's own loops, its scalar bodies in the lanes of its operands.
void count_loops(WorkCounter& counter);

}  // namespace strata::cost
