// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "schedule/schedule.h"

namespace strata::schedule {

// What an op costs where it is scheduled, for run-time sizes by symbol. Of values that the search has planned it is
// what the search took them to cost.
cost::OpCost op_cost(const ScheduledOp& op, const machine::Machine& machine, const cost::Sizes& sizes = {},
                     int threads = 1);

// The seconds of all its runs.
double op_seconds(const ScheduledOp& op, const machine::Machine& machine, std::span<const SizedRuns> runs, int threads);

// What it does there.
cost::OpWork op_work(const ScheduledOp& op, const cost::Sizes& sizes);

// A size at run-time sizes; of symbols that are not among them the largest value.
double extent_at(const ir::Dim& dim, const cost::Sizes& sizes);

// Units of the loops that a tree begins to divide its work with, one inside the other, at run-time sizes; 1: it
// doesn't.
double units(const TileTree& tree, const cost::Sizes& sizes);

}  // namespace strata::schedule
