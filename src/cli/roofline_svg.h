// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "cli/explanation.h"

namespace strata::cli {

// The roofline plot (Williams, Waterman, Patterson 2009) of steps of one model on one machine: GFLOP/s over FLOP per
// byte, both logarithmic; the machine's memory levels as slopes, its units as ceilings; for each op a ring where it was
// predicted and a dot where it was measured, as large as its part of its step. A dot links to its op's row. Ops without
// arithmetic have no place in it. Twice: for wide pages, and for narrow ones. Requires at least one step.
std::string roofline_svg(std::span<const Explanation> steps);

}  // namespace strata::cli
