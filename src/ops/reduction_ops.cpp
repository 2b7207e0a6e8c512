// SPDX-License-Identifier: Apache-2.0
#include "ops/structured_op.h"

namespace strata::ops {

// Over the last axis.
void register_reduction_ops() {
  register_structured({
      {"reduce_sum", {"x"}, "y[...] = sum(k) x[..., k]"},
      {"reduce_max", {"x"}, "y[...] = max(k) x[..., k]"},
      {"reduce_min", {"x"}, "y[...] = min(k) x[..., k]"},
      // By which bytes of signed numbers reach all elements.
      {"code_scales", {"x"}, "most[...] = max(k) abs(x[..., k]); y[...] = most[...] / 127"},
      {"reduce_mean", {"x"}, "s[...] = sum(k) x[..., k]; y[...] = s[...] / extent(k)"},
  });
}

}  // namespace strata::ops
