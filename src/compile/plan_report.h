// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codegen/program.h"
#include "machine/machine.h"
#include "plan/plan.h"

namespace strata::compile {

// Adds the entries of a version, with every op's cost by the sizes that it depends on, computed on so many threads;
// `explains`: with the tiles that a product could have had too.
void add_entries(const codegen::PlannedVersion& planned, const machine::Machine& machine, int threads, bool explains,
                 plan::Plan& plan);

// Adds the arenas of a version's functions.
void add_arenas(const codegen::PlannedVersion& planned, plan::Plan& plan);

}  // namespace strata::compile
