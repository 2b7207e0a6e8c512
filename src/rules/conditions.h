// SPDX-License-Identifier: Apache-2.0
// What rows of the rule tables ask of a match, and what they compute for the right side. Variables and payloads are
// named as in the row's text.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "rules/rule_table.h"

namespace strata::rules {

// In this order, up to the first that doesn't hold.
Condition all(std::vector<Condition> conditions);

Condition is_constant(std::string x);
Condition is_f32(std::string x);  // elements are f32: no rounding in between that the other side lacks
Condition is_float(std::string x);
Condition has_rank(std::string x, int rank);
Condition same_shape(std::string x, std::string y);
Condition has_value(std::string x, double value);  // a scalar constant
Condition is_moderate(std::string x);              // a scalar constant, 2^-32 <= |x| <= 2^32
Condition is_made_by(std::string x, std::string op);
Condition negated(Condition condition);  // only where what is denied once stays denied, or a rule may miss a match

Condition is_identity(std::string perm);
Condition is_axis_swap(std::string perm);  // exchanges the last two axes, and keeps the others
Condition same_axis(std::string p, std::string q);
Condition different_axes(std::string p, std::string q);
Condition on_last_axis(std::string p, std::string x);
// The operand y, of a lower rank than x, is broadcast along the axis of p.
Condition is_broadcast_along(std::string p, std::string x, std::string y);
// Every value of `from`'s element type is one of the cast's.
Condition is_exact_cast(std::string cast, std::string from);

// Binds the payload to what `make` computes; doesn't hold where that is nothing.
using Compute = std::function<std::optional<ir::Attributes>(const Matched&)>;
Condition let(std::string payload, Compute make);
Compute composed_permutation(std::string outer, std::string inner);
Compute last_two_swapped(std::string x);
Compute composed_slice(std::string outer, std::string inner);
Compute slice_of_left_part(std::string slice, std::string a);            // of concat(a, b)
Compute slice_of_right_part(std::string slice, std::string a);           // of concat(a, b)
Compute joined_slice(std::string first, std::string second);             // where the second begins at the first's end
Compute aligned_slice(std::string slice, std::string x, std::string y);  // of y, of a lower rank, beside x
Compute slice_of(std::string slice, std::int64_t axis);                  // the same range of another axis
Compute column_shape(std::string v);                                     // [n, 1] of v[n]
Compute on_axis(std::int64_t axis);
// [-1, blocks, size] of the matrix x, [-1, j, blocks, size] of x[s, j, k], in as many blocks of its last axis as that
// of y has; nothing where these don't divide it.
Compute in_blocks_of(std::string x, std::string y);
// How many matrices [n, k] the shape [matrices, n, k] makes of x.
Compute matrices_of(std::string shape, std::string x);

// Binds the variable to a scalar constant that `make` computes, of the element type of `like`.
using ComputeScalar = std::function<std::optional<double>(const Matched&)>;
Condition let_scalar(std::string x, std::string like, ComputeScalar make);
ComputeScalar exact_reciprocal(std::string x);
ComputeScalar folded(std::string op, std::vector<std::string> operands);  // the op on scalar constants, if finite

}  // namespace strata::rules
