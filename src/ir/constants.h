// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "ir/expr.h"

namespace strata::ir {

// Whether the op reads a row-major tensor's last axis in groups of lanes, or no longer so: memory doesn't change.
bool changes_lanes_only(const Expr& value);

// What a package can store in place of code: a function's weights and scalars, and the ops on such values alone, except
// an op that is a result of the function, whose value is copied to the caller, and one that changes lanes only: that is
// a view of what is stored.
std::unordered_set<const Expr*> constants(const Function& function);

// A constant as the function without parameters that returns it: equal for equal constants of any module.
std::string constant_text(const Expr& constant);

// The weights that a constant is made of, in order of their first use.
std::vector<const Expr*> weights_of(const Expr& constant);

}  // namespace strata::ir
