// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cost/leaf.h"
#include "cost/work_counter.h"

namespace strata::cost {

// Into how many pieces threads divide the op: those of the parallel loop that the default tile tree gives the leaf
// (schedule::default_tree), whose operands have memory of their own. 1: one thread does all of it.
double pieces(const WorkCounter& counter, const Leaf& leaf);

}  // namespace strata::cost
