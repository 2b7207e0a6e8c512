// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "plan/plan.h"

namespace strata::cli {

// A function's arena over time: a rectangle for each buffer, from the op that makes it to the last one that reads it,
// at its offset; the peak and its lower bound as lines. Well-formed SVG.
std::string arena_svg(const plan::ArenaMap& arena);

}  // namespace strata::cli
