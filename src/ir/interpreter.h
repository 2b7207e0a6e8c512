// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ir/expr.h"
#include "ir/op.h"

namespace strata::ir {

// The tensor of a weight expression, with its type.
using WeightSource = std::function<Value(const Expr& weight)>;

// Evaluates a function, the slow and right way: in float64, each op's result rounded to its type when that is f16 or
// bf16, and to integers when it is integral; f32 is not rounded, so that the result is a reference for f32 code.
// `symbols` gives the sizes. Throws Error (usage) for arguments or weights that don't have their parameter's type.
std::vector<Value> interpret(const Module& module, const Function& function, std::vector<Value> arguments,
                             const std::map<std::string, std::int64_t>& symbols, const WeightSource& weights);

// The nearest value that the type can hold, ties to even; beyond an integer type's range its bound. f32 as above.
double round_to(DType dtype, double value);

}  // namespace strata::ir
