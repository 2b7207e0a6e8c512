// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "ir/expr.h"

namespace strata::ir {

// What a function's parameter is to whoever plans its memory.
enum class Role {
  kActivation,
  kConstant,  // every call binds it to an expression of weights: what it holds is known when the package is written
  kState,     // updated in place and returned: a cache, whose layout is whatever all its readers agree on
};

// The roles of a function's parameters, and which results are states: of those the number of their parameter.
struct FunctionRoles {
  std::vector<Role> parameters;
  std::vector<std::optional<std::size_t>> state_results;
};

using Roles = std::map<const Function*, FunctionRoles>;

Roles find_roles(const Module& module);

// How often each function runs when every entry runs once.
std::map<const Function*, double> call_counts(const Module& module, const std::vector<std::string>& entries);

}  // namespace strata::ir
