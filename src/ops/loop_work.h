// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "ir/op.h"
#include "ir/structured.h"

namespace strata::ops {

// What a loop nest does and touches, at its sizes' upper bounds: the calls of its bodies at the points at which they
// differ, the combiners' steps, the footprints of its reads, and what it writes.
ir::Work loop_work(const ir::Op& op, const ir::LoopNest& nest, std::span<const ir::TensorType> operands,
                   const ir::Attributes& attributes, const ir::TensorType& result);

}  // namespace strata::ops
