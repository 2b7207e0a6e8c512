// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "ir/structured.h"

namespace strata::ir {

// The loops with a softmax and the sum that it weights as one reduction of a tuple:
//
//   m[s] = max(t) x; l[s] = sum(t) exp(x - m[s]); y[s, d] = sum(t) exp(x - m[s]) / l[s] * v
//   y[s, d] = softmax_sum(t) x, v
//
// where x and v are any expressions, the weights may be stages of their own, the division may stand behind the sum, and
// t may be bounded, everywhere alike. Nothing for other loops. Afterwards one stage is left.
std::optional<LoopNest> online_form(const LoopNest& nest);

}  // namespace strata::ir
