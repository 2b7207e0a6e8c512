// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/explanation.h"

namespace strata::cli {

// The roofline plot (Williams, Waterman, Patterson 2009) as an SVG element: GFLOP/s over FLOP per byte, both
// logarithmic; the machine's memory levels as slopes, its units as ceilings; for each op a ring where it was predicted
// and a dot where it was measured, as large as its part of the step. Ops without arithmetic have no place in it.
std::string roofline_svg(const Explanation& explanation);

}  // namespace strata::cli
