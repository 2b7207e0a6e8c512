// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/record_file.h"
#include "codegen/program.h"
#include "compile/contest.h"
#include "compile/pipeline.h"
#include "plan/plan.h"

namespace strata::compile {

// Candidates of an op, with the predicted best one.
inline constexpr std::size_t kCandidates = 4;

// Of each product in register tiles, and each region with one, the best few candidates of `best_choices` are measured,
// and the fastest is kept; ops with the same code and sizes once. Those come first that the workload spends most time
// in, by prediction, with the run-time sizes of the step that does. What is known already of them is taken from
// `known`, and what is measured is added to it. Afterwards the plan has buffers, barriers and times as if its trees had
// been such from the beginning; the trees and the times are dumped, where that is wanted. `symbols`: the order of the
// run-time sizes in the program's code.
plan::Tuning tune_tiles(std::vector<codegen::PlannedVersion>& planned, const PassContext& context,
                        const std::vector<std::string>& symbols, Records& known, const Measure& measure);

}  // namespace strata::compile
