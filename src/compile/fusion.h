// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "machine/machine.h"
#include "schedule/schedule.h"

namespace strata::compile {

enum class Fusion {
  kNone,
  kWherePaid,      // a team of `threads` is predicted to take less time
  kWherePossible,  // for tests
};

// Joins ops to regions (schedule/region.h). What that is worth is predicted from what the ops do and move together, and
// from the barriers that are then left in the function.
void fuse(std::vector<schedule::ScheduledFunction>& functions, const machine::Machine& machine, int threads,
          Fusion fusion = Fusion::kWherePaid);

}  // namespace strata::compile
