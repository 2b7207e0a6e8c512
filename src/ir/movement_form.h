// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "ir/structured.h"

namespace strata::ir {

// Loops that move elements by the numbers of rows, or behind one another, as the tensor library has kernels for. Each
// says which operand is what.

// y[s, j] = table[numbers[s], j].
struct RowLookup {
  int table = 0, numbers = 1;
};
std::optional<RowLookup> row_lookup(const LoopNest& nest);

// y[s, j] = row[s, numbers[s, j]].
struct ElementLookup {
  int row = 0, numbers = 1;
};
std::optional<ElementLookup> element_lookup(const LoopNest& nest);

// target[h, numbers[s], i] = source[s, h, i].
struct RowUpdate {
  int target = 0, source = 1, numbers = 2;
};
std::optional<RowUpdate> row_update(const LoopNest& nest);

// `second` behind `first` along one axis.
struct Concatenation {
  int first = 0, second = 1;
};
std::optional<Concatenation> concatenation(const LoopNest& nest);

}  // namespace strata::ir
