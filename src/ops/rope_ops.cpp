// SPDX-License-Identifier: Apache-2.0
#include "ops/structured_op.h"

namespace strata::ops {

// Rotary position embedding (Su et al., arXiv 2104.09864) on x[seq, heads, 2, dim/2]: the two halves of a head are the
// real and imaginary parts, as in the models' reference code. Angles are computed and kept in f32.
void register_rope_ops() {
  register_structured({
      {"rope_angles", {"positions", "frequencies"}, "y[s, i] = positions[s] * frequencies[i]", ResultDType::kF32},
      {"rope",
       {"x", "cos", "sin"},
       "y[s, h, p, i] = x[s, h, p, i] * cos[s, i] + (2 * p - 1) * x[s, h, 1 - p, i] * sin[s, i]"},
  });
}

}  // namespace strata::ops
