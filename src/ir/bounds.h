// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "ir/op.h"
#include "ir/structured.h"

namespace strata::ir {

// The value of an expression of constants and attributes.
double number_of(const Op& op, const Attributes& attributes, const ScalarExpr& expr);

// Points of an iterator within bounds at most: between a lower and an upper one that depend on the same data there are
// as many as they are apart, and otherwise all.
double bounded_extent(const Op& op, const Attributes& attributes, const LoopNest& nest, int iterator,
                      const std::vector<Bound>& bounds);

}  // namespace strata::ir
