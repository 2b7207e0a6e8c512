// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "ir/expr.h"

namespace strata::vectorize {

// The value as one more result of a function: a copy where it is an earlier result, or may share memory with one and
// either is a call's, which lies in an argument's memory where the callee returns what it is given. (Views of one
// memory are copied when the function is scheduled.)
const ir::Expr* own_result(ir::ExprPool& pool, const ir::Expr* value, const std::vector<const ir::Expr*>& earlier);

// A copy of the module with results of their own.
ir::Module with_own_results(const ir::Module& module);

}  // namespace strata::vectorize
