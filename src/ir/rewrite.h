// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "ir/expr.h"

namespace strata::ir {

// Gives the new form of an expression whose arguments have been rebuilt already; `arguments` are the new ones.
using ExprRewrite = std::function<const Expr*(ExprPool& pool, const Expr& old, std::vector<const Expr*> arguments)>;

// The expression itself on new arguments, in the pool of `into`; a call's callee is the function of the same name
// there.
const Expr* copy_expr(Module& into, const Expr& old, std::vector<const Expr*> arguments);

// A function's expressions rebuilt bottom-up, each through the callback once, parameters first, in order. The function
// is not added to `into`: the caller may rename it. A parameter must become a parameter.
Function rebuild(Module& into, const Function& function, const ExprRewrite& rewrite);

// A copy of the module with every function rebuilt. The callback gets the new module too, for copy_expr.
Module rebuild_module(
    const Module& module,
    const std::function<const Expr*(Module& into, const Expr& old, std::vector<const Expr*>)>& rewrite);

// What a symbol becomes: one of its values, or a symbol whose values are among them.
using SymbolValue = std::variant<std::int64_t, Symbol>;

// A copy of the module for fewer sizes, say seq = 1. Throws Error (usage) naming a symbol that the module doesn't have,
// or that doesn't admit the value.
Module specialise(const Module& module, const std::map<std::string, SymbolValue>& values);

// The type with symbols replaced by constants. Throws Error (usage) naming a symbol without value, or out of its range.
TensorType concrete_type(const TensorType& type, const std::map<std::string, std::int64_t>& symbols);

}  // namespace strata::ir
