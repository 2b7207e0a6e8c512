// SPDX-License-Identifier: Apache-2.0
// Identities of arithmetic. They hold for infinities and NaN too: so x * 0 = 0 is not among them. Where a side rounds
// in between, elements must be f32. Constants gather at the right end, where they fold.
#include "rules/algebra.h"
#include "rules/conditions.h"

namespace strata::rules {

// clang-format off
Table elementwise_table() {
  return {
      {"add-zero", "add(?x, ?c)", "?x", has_value("?c", 0)},
      {"sub-zero", "sub(?x, ?c)", "?x", has_value("?c", 0)},
      {"mul-one", "mul(?x, ?c)", "?x", has_value("?c", 1)},
      {"div-one", "div(?x, ?c)", "?x", has_value("?c", 1)},
      {"neg-of-neg", "neg(neg(?x))", "?x", is_float("?x")},
      {"mul-minus-one", "mul(?x, ?c)", "neg(?x)", all({is_float("?x"), has_value("?c", -1)})},
      {"sub-constant", "sub(?x, ?c)", "add(?x, neg(?c))", all({is_constant("?c"), is_float("?x"), is_float("?c")})},
      {"add-negated", "add(?x, neg(?y))", "sub(?x, ?y)", all({is_float("?x"), is_float("?y")})},
      {"div-by-power-of-two", "div(?x, ?c)", "mul(?x, ?r)", let_scalar("?r", "?c", exact_reciprocal("?c"))},

      {"add-constant-last", "add(?c, ?x)", "add(?x, ?c)", is_constant("?c")},
      {"mul-constant-last", "mul(?c, ?x)", "mul(?x, ?c)", is_constant("?c")},
      {"add-of-add", "add(add(?x, ?c), ?d)", "add(?x, add(?c, ?d))", all({is_f32("?x"), is_f32("?c"), is_f32("?d"), is_constant("?c"), is_constant("?d")})},
      {"mul-of-mul", "mul(mul(?x, ?c), ?d)", "mul(?x, mul(?c, ?d))", all({is_f32("?x"), is_f32("?c"), is_constant("?c"), is_moderate("?d")})},

      {"fold-neg", "neg(?a)", "?c", let_scalar("?c", "?a", folded("neg", {"?a"}))},
      {"fold-add", "add(?a, ?b)", "?c", let_scalar("?c", "?a", folded("add", {"?a", "?b"}))},
      {"fold-sub", "sub(?a, ?b)", "?c", let_scalar("?c", "?a", folded("sub", {"?a", "?b"}))},
      {"fold-mul", "mul(?a, ?b)", "?c", let_scalar("?c", "?a", folded("mul", {"?a", "?b"}))},
      {"fold-div", "div(?a, ?b)", "?c", let_scalar("?c", "?a", folded("div", {"?a", "?b"}))},

      {"silu-as-product", "silu(?x)", "mul(?x, sigmoid(?x))", is_f32("?x")},
      {"product-as-silu", "mul(?x, sigmoid(?x))", "silu(?x)", is_f32("?x")},
      {"div-by-sqrt", "div(?x, sqrt(?y))", "mul(?x, rsqrt(?y))", all({is_f32("?x"), is_f32("?y")})},
      {"mul-by-rsqrt", "mul(?x, rsqrt(?y))", "div(?x, sqrt(?y))", all({is_f32("?x"), is_f32("?y")})},
      {"reciprocal-of-sqrt", "div(?c, sqrt(?y))", "rsqrt(?y)", all({has_value("?c", 1), is_f32("?y")})},
  };
}
// clang-format on

}  // namespace strata::rules
