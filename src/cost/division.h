// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cost/leaf.h"
#include "cost/work_counter.h"

namespace strata::cost {

// An elementwise op is divided in pieces of so many elements, so that small ones stay on one thread. The figure is a
// guess, not a measurement.
inline constexpr std::int64_t kElementGrain = 4096;

// Into how many pieces threads divide the op: those of the parallel loop that the default tile tree gives the leaf
// (schedule::default_tree), whose operands have memory of their own. 1: one thread does all of it.
double pieces(const WorkCounter& counter, const Leaf& leaf);

}  // namespace strata::cost
