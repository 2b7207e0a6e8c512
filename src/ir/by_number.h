// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "ir/op.h"

namespace strata::ir {

// An op that multiplies each row by one matrix of several, as another op does by one: the matrices stand in one
// operand, one behind the other by rows, and the last operand has each row's number, [s, j]. Rows of the left operand
// are [s, k], the same for all j, or [s, j, k]; the result is [s, j, n].
class ByNumber {
 public:
  virtual ~ByNumber() = default;

  // The op of one matrix: its operands are these but for the numbers, in the same order.
  virtual const Op& of_one() const = 0;

  // Whether this operand of it has a part for each matrix; else it has rows.
  virtual bool is_of_matrix(int operand) const = 0;
};

// Null for another op.
const ByNumber* by_number(const Op& op);

// How many matrices there are.
std::int64_t matrix_count(const Op& op, const Attributes& attributes);

// The operands' types as the op of one matrix sees them, where so many rows meet it.
std::vector<TensorType> types_of_one(const ByNumber& of, std::span<const TensorType> operands, std::int64_t matrices,
                                     const Dim& rows);

}  // namespace strata::ir
