// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "ir/expr.h"

namespace strata::ir {

enum class VerifyLevel {
  kStructure,  // names, symbols, order of functions, arity of calls, results
  kFull,       // types as well: each is what its op infers, layouts are valid; and updates in place
};

// Checks what every pass must leave behind; throws std::logic_error naming the function and the value.
//
// An update in place (cache_append) overwrites the memory of its operand, and a call overwrites the arguments whose
// parameters its callee overwrites. In topological_order, which is the order of execution, no value that lies in that
// memory may be read after the update unless it is derived from the updated value. Weights are never overwritten.
void verify(const Module& module, VerifyLevel level = VerifyLevel::kFull);

// The same of a module that a user wrote: throws Error (model) that says what is wrong.
void check_input(const Module& module, const std::string& origin);

// Throws Error (usage) unless 1 <= min <= max, both multiples of `multiple` >= 1.
void check_symbol(const Symbol& symbol);

// Whether a function, parameter or symbol may be called so: a letter or '_', then letters, digits, '_' and '.'.
bool is_identifier(std::string_view name);

}  // namespace strata::ir
