// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compile/workload.h"
#include "distribution/plan.h"
#include "ir/expr.h"
#include "machine/machine.h"

namespace strata::compile {

// Gives the machine a mesh of so many ranks, one axis of processes that share memory, unless its file has one. Throws
// usage_error where that has another number of devices.
void set_ranks(machine::Machine& machine, int ranks);

// Of each axis of the mesh with several devices its extent.
std::vector<std::int64_t> mesh_extents(const machine::Machine& machine);

// How a program (import_decoder() without wanted_rows) is divided among the devices of the machine's mesh, all of them,
// into equal parts, alike in all phases: as it is executed. The workload's batch counts as one sequence, since a
// session computes them one after the other.
distribution::DistributionPlan plan_for_ranks(const ir::Module& module, const machine::Machine& machine,
                                              const Workload& workload, std::int64_t max_chunk, std::int64_t context);

// The program of each device by that plan.
ir::Module program_for_ranks(const ir::Module& module, const distribution::DistributionPlan& plan);

// A constant as rank `rank` stores it: its parts in place of `rank_slice`.
const ir::Expr* of_rank(ir::ExprPool& pool, const ir::Expr& constant, const std::vector<std::int64_t>& mesh, int rank);

}  // namespace strata::compile
