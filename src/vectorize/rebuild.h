// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <vector>

#include "plan/plan.h"
#include "vectorize/selection.h"

namespace strata::vectorize {

// Of an op, those that the search weighed.
using Alternatives = std::map<const ir::Expr*, std::vector<plan::Alternative>>;

// The chosen expressions as a module. Constants leave the functions that use them: an expression of a function's
// constant parameters becomes a parameter of its own, which every caller binds to the same expression of what it would
// have passed, until weights are reached. A state's parameter and result get the layout that it is kept in. The
// alternatives of its ops are added.
ir::Module rebuild(const ProgramGraph& program, const Selection& selection, const Version& version,
                   Alternatives& alternatives);

}  // namespace strata::vectorize
