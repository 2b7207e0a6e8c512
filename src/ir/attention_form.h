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
// where g is h, or h divided by a size. Keys and values may lie in pages: in place of t then stands
// size * pages[t / size] + t % size, or pages[s, t / size], which are each query's own. What the scores are made of,
// and what a query sees, is the declaration's. Loops that say the same in several passes are brought to this form
// (ir/online_form.h).
struct AttentionForm {
  // Pages of neighbouring rows, whose numbers an operand has.
  struct Pages {
    int numbers = 0;  // the operand
    std::int64_t size = 1;
    bool is_own = false;  // each token has pages of its own, so that tokens share no keys

    bool operator==(const Pages&) const = default;
  };

  int queries = 0, keys = 1, values = 2;  // operand numbers
  int token = 0, head = 0, column = 0;    // iterators s, h, d
  int key = 0, inner = 0;                 // t, k
  std::int64_t group = 1;                 // heads that share keys and values
  std::optional<Pages> pages;             // nothing: rows follow one another

  // The score is `score` of factor x product, where kReduce stands for the product. `factor` reads no data; nothing: 1.
  ScalarExpr score;
  std::optional<ScalarExpr> factor;

  // Of t; they read operands of one axis, at s.
  std::vector<Bound> bounds;

  // Whether several tokens may be worked on together, past the same keys.
  bool shares_keys() const { return !pages || !pages->is_own; }
};

// Nothing for other loops.
std::optional<AttentionForm> attention_form(const LoopNest& nest);

}  // namespace strata::ir
