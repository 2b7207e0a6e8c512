// SPDX-License-Identifier: Apache-2.0
// Ops that move elements, among themselves and past what computes element by element.
#include "rules/algebra.h"
#include "rules/conditions.h"

namespace strata::rules {

// clang-format off
Table movement_table() {
  return {
      // Of one type before and after, these four are nothing.
      {"identity-transpose", "transpose{?p}(?x)", "?x", is_identity("?p")},
      {"identity-reshape", "reshape(?x)", "?x", {}},
      {"whole-slice", "slice(?x)", "?x", {}},
      {"identity-cast", "cast(?x)", "?x", {}},

      {"transpose-of-transpose", "transpose{?p}(transpose{?q}(?x))", "transpose{?r}(?x)", let("?r", composed_permutation("?p", "?q"))},
      {"transpose-of-UNARY", "transpose{?p}(UNARY{?e}(?x))", "UNARY{?e}(transpose{?p}(?x))", {}},
      {"UNARY-of-transpose", "UNARY{?e}(transpose{?p}(?x))", "transpose{?p}(UNARY{?e}(?x))", {}},
      {"transpose-of-BINARY", "transpose{?p}(BINARY(?a, ?b))", "BINARY(transpose{?p}(?a), transpose{?p}(?b))", same_shape("?a", "?b")},
      {"transpose-of-BINARY-scalar", "transpose{?p}(BINARY(?a, ?s))", "BINARY(transpose{?p}(?a), ?s)", has_rank("?s", 0)},
      {"BINARY-of-transposes", "BINARY(transpose{?p}(?a), transpose{?p}(?b))", "transpose{?p}(BINARY(?a, ?b))", same_shape("?a", "?b")},

      {"reshape-of-reshape", "reshape{?p}(reshape(?x))", "reshape{?p}(?x)", {}},
      {"reshape-of-UNARY", "reshape{?p}(UNARY{?e}(?x))", "UNARY{?e}(reshape{?p}(?x))", {}},
      {"UNARY-of-reshape", "UNARY{?e}(reshape{?p}(?x))", "reshape{?p}(UNARY{?e}(?x))", {}},
      {"reshape-of-BINARY", "reshape{?p}(BINARY(?a, ?b))", "BINARY(reshape{?p}(?a), reshape{?p}(?b))", same_shape("?a", "?b")},
      {"reshape-of-BINARY-scalar", "reshape{?p}(BINARY(?a, ?s))", "BINARY(reshape{?p}(?a), ?s)", has_rank("?s", 0)},
      {"BINARY-of-reshapes", "BINARY(reshape{?p}(?a), reshape{?p}(?b))", "reshape{?p}(BINARY(?a, ?b))", same_shape("?a", "?b")},

      {"slice-of-slice", "slice{?p}(slice{?q}(?x))", "slice{?r}(?x)", let("?r", composed_slice("?p", "?q"))},
      {"slice-of-left-part", "slice{?p}(concat{?c}(?a, ?b))", "slice{?r}(?a)", all({same_axis("?p", "?c"), let("?r", slice_of_left_part("?p", "?a"))})},
      {"slice-of-right-part", "slice{?p}(concat{?c}(?a, ?b))", "slice{?r}(?b)", all({same_axis("?p", "?c"), let("?r", slice_of_right_part("?p", "?a"))})},
      {"slice-across-concat", "slice{?p}(concat{?c}(?a, ?b))", "concat{?c}(slice{?p}(?a), slice{?p}(?b))", different_axes("?p", "?c")},
      {"slice-of-UNARY", "slice{?p}(UNARY{?e}(?x))", "UNARY{?e}(slice{?p}(?x))", {}},
      {"slice-of-BINARY", "slice{?p}(BINARY(?a, ?b))", "BINARY(slice{?p}(?a), slice{?p}(?b))", same_shape("?a", "?b")},
      {"slice-of-BINARY-broadcast", "slice{?p}(BINARY(?a, ?b))", "BINARY(slice{?p}(?a), ?b)", is_broadcast_along("?p", "?a", "?b")},
      {"slice-of-BINARY-vector", "slice{?p}(BINARY(?a, ?v))", "BINARY(slice{?p}(?a), slice{?r}(?v))", all({has_rank("?v", 1), let("?r", aligned_slice("?p", "?a", "?v"))})},

      {"concat-of-slices", "concat{?c}(slice{?p}(?x), slice{?q}(?x))", "slice{?r}(?x)", all({same_axis("?c", "?p"), let("?r", joined_slice("?p", "?q"))})},
      {"concat-of-UNARY", "concat{?c}(UNARY{?e}(?x), UNARY{?e}(?y))", "UNARY{?e}(concat{?c}(?x, ?y))", {}},
      {"concat-of-BINARY", "concat{?c}(BINARY(?a, ?b), BINARY(?d, ?e))", "BINARY(concat{?c}(?a, ?d), concat{?c}(?b, ?e))", all({same_shape("?a", "?b"), same_shape("?d", "?e")})},

      // Exact casts lose nothing, so what follows them decides. f32 -> bf16 -> f32 is another matter.
      {"cast-of-exact-cast", "cast{?p}(cast{?q}(?x))", "cast{?p}(?x)", is_exact_cast("?q", "?x")},
  };
}
// clang-format on

}  // namespace strata::rules
