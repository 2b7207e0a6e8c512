// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "extract/attempt.h"

namespace strata::extract {

// The parts of a problem, and the limits that several of them share: at no price first; where the choice exceeds one,
// at the best price per amount; and as one integer program where a gap is left.
Attempt attempt_coupled(const Problem& problem, const Options& options, Work& work);

}  // namespace strata::extract
