// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "schedule/schedule.h"

namespace strata::schedule {

// Gives the attentions of a function, whose trees are the default ones, the number of parts of the context
// (cost::split_candidates) with which these runs take the least time by prediction, barriers included: more than one
// where a team of `threads` has more threads than there are tiles of queries and heads of keys. Nothing changes where
// that is not faster, nor on a machine of whole reductions.
void split_reductions(ScheduledFunction& function, std::span<const SizedRuns> runs, const machine::Machine& machine,
                      int threads);

}  // namespace strata::schedule
