// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "compile/pipeline.h"
#include "plan/plan.h"

namespace strata::compile {

// What was decided for one specialisation, with every op's cost by the sizes that it depends on.
plan::Specialisation plan_report(const codegen::PlannedModule& planned, const Specialisation& specialisation,
                                 const machine::Machine& machine);

}  // namespace strata::compile
