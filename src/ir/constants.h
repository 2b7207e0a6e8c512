// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "ir/expr.h"

namespace strata::ir {

// What a package can store in place of code: a function's weights and scalars, and the ops on such values alone, except
// an op that is a result of the function, whose value is copied to the caller.
std::unordered_set<const Expr*> constants(const Function& function);

// A constant as the function without parameters that returns it: equal for equal constants of any module.
std::string constant_text(const Expr& constant);

// The weights that a constant is made of, in order of their first use.
std::vector<const Expr*> weights_of(const Expr& constant);

}  // namespace strata::ir
