// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ir/expr.h"
#include "machine/machine.h"

namespace strata::vectorize {

// The default layout plan: one rule per operand of the two ops that stream memory, no search.
//
//   matmul_nt, right operand a weight   packed along n by the vector lanes; along k too by the dot-product unit's width
//                                       where the machine has such a unit for the weight's type
//   matmul_nt, left operand             one row: as it is. More rows: packed along m by the register tile's rows, in
//   the
//                                       dot-product unit's operand type where there is one
//   attention, keys of the cache        packed along the context by the vector lanes
//
// The weights' layouts depend on machine and type alone, so that the specialisations of a module by its symbols' ranges
// agree on one packed copy. A weight that another op reads too (a tied head's embedding) is packed for both.
// Before: any verified module without layouts. After: the same values; layouts in the types, `pack` where an activation
// changes form. Weights are packed when the package is written, at no cost at run time.
ir::Module default_layout(const ir::Module& module, const machine::Machine& machine);

}  // namespace strata::vectorize
