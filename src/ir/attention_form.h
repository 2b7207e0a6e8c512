// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "ir/structured.h"

namespace strata::ir {

// Loops that are an attention: values weighted by the softmax of what is made of the products of queries with keys,
//
//   y[s, h, d] = softmax_sum(t <= ..., t > ...) f(sum(k) q[s, h, k] * keys[g, t, k]), values[g, t, d]
//
// where g is h, or h divided by a size. What the scores are made of, and what a query sees, is the declaration's. Loops
// that say the same in several passes are brought to this form (ir/online_form.h).
struct AttentionForm {
  int queries = 0, keys = 1, values = 2;  // operand numbers
  int token = 0, head = 0, column = 0;    // iterators s, h, d
  int key = 0, inner = 0;                 // t, k
  std::int64_t group = 1;                 // heads that share keys and values

  // The score is `score` of factor x product, where kReduce stands for the product. `factor` reads no data; nothing: 1.
  ScalarExpr score;
  std::optional<ScalarExpr> factor;

  // Of t; they read operands of one axis, at s.
  std::vector<Bound> bounds;
};

// Nothing for other loops.
std::optional<AttentionForm> attention_form(const LoopNest& nest);

}  // namespace strata::ir
