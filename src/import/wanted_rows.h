// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ir/expr.h"

namespace strata::importer {

// Of most of a prompt's rows nothing is wanted but what they leave in the states. Adds to a module with a function
// `forward`, whose first result has a row for each token, the versions of it that make only the first row of that
// (`forward_one`) or none (`forward_none`), and the versions of what they call: a call of whose first result only the
// first row is read, or nothing, is one of the callee's version that makes only that. Rows may come in any order: the
// one that is wanted comes first.
//
// Inside of a function the slice stands as far up as what it is taken of is made for nothing else (ir/slices.h): of
// what the states need whole it is a view.
// Nothing is added where the rows are no symbol.
void add_wanted_rows(ir::Module& module);

}  // namespace strata::importer
