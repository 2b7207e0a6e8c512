// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ir/structured.h"

namespace strata::ir {

// Loops that move elements by the numbers of rows, as the tensor library has kernels for.

// y[s, j] = a[b[s], j], of operands a and b.
bool is_row_lookup(const LoopNest& nest);

// a[h, c[s], i] = b[s, h, i], of operands a, b and c.
bool is_row_update(const LoopNest& nest);

// Operand b behind operand a along one axis.
bool is_concatenation(const LoopNest& nest);

}  // namespace strata::ir
