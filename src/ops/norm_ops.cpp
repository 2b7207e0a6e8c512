// SPDX-License-Identifier: Apache-2.0
#include "ops/structured_op.h"

namespace strata::ops {

// Over the last axis; `w` scales it, `b` shifts it.
void register_norm_ops() {
  register_structured({
      {"rms_norm",
       {"x", "w"},
       "ss[...] = sum(k) x[..., k] * x[..., k];"
       "y[..., k] = x[..., k] * rsqrt(ss[...] / extent(k) + eps) * w[k]"},
      {"layer_norm",
       {"x", "w", "b"},
       "s[...] = sum(k) x[..., k];"
       "ss[...] = sum(k) (x[..., k] - s[...] / extent(k)) * (x[..., k] - s[...] / extent(k));"
       "y[..., k] = (x[..., k] - s[...] / extent(k)) * rsqrt(ss[...] / extent(k) + eps) * w[k] + b[k]"},
      {"softmax",
       {"x"},
       "m[...] = max(k) x[..., k];"
       "s[...] = sum(k) exp(x[..., k] - m[...]);"
       "y[..., k] = exp(x[..., k] - m[...]) / s[...]"},
  });
}

}  // namespace strata::ops
