// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "machine/machine.h"
#include "plan/plan.h"
#include "schedule/schedule.h"
#include "search/search.h"

namespace strata::compile {

enum class Fusion {
  kNone,
  kWherePaid,      // a team of `threads` is predicted to take less time
  kWherePossible,  // for tests
};

// States that a search for the regions of a whole program may cost, unless more or fewer are given.
inline constexpr std::int64_t kRegionVisits = 500;

struct FusionOptions {
  int threads = 1;  // of the team
  Fusion fusion = Fusion::kWherePaid;
  search::Options search = {.visits = kRegionVisits};  // of kWherePaid; the visits are those of all functions together
  std::vector<double> weights = {};  // by function: its part of the visits; empty: its own predicted time
  bool orders = true;                // ops are put into an order of few barriers before (compile/op_order.h)
  bool each = true;           // what one thread alone would make each may make for itself (compile/own_results.h)
  bool keeps_losing = false;  // costs the states beside the one that is found too
};

// Joins ops to regions (schedule/region.h). What that is worth is predicted from what the ops do and move together, and
// from the barriers that are then left in the function (compile/region_space.h). Functions come behind those that they
// call. The visits are divided by the weights, and those that a function leaves go to the ones behind it; one
// of weight 0 is joined greedily. Returns what the searches say, of the functions with a choice.
std::vector<plan::RegionSearch> fuse(std::vector<schedule::ScheduledFunction>& functions,
                                     const machine::Machine& machine, const FusionOptions& options);

// The part of the visits that are left for a weight, of all weights that are left.
std::int64_t share(std::int64_t left, double weight, double weights_left);

// By function: the time of its own ops where two of them may be joined, else 0.
std::vector<double> default_weights(const std::vector<schedule::ScheduledFunction>& functions,
                                    const machine::Machine& machine);

}  // namespace strata::compile
