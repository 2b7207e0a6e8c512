// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "ir/op.h"
#include "ir/structured.h"

namespace strata::ops {

// Runs a loop nest with constant extents in float64, stage by stage, and returns the last stage's values in row-major
// order. `op` is named in errors about attributes.
std::vector<double> interpret_loops(const ir::Op& op, const ir::LoopNest& nest, std::span<const ir::Value> operands,
                                    const ir::Attributes& attributes);

}  // namespace strata::ops
