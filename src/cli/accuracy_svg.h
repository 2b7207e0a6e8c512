// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "cli/explanation.h"

namespace strata::cli {

// Each measured op's time over its predicted one, both logarithmic, with lines where they are equal and where one is
// twice the other. Empty where nothing was measured.
std::string accuracy_svg(std::span<const Explanation> steps);

}  // namespace strata::cli
