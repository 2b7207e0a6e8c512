// SPDX-License-Identifier: Apache-2.0
#include "ops/structured_op.h"

namespace strata::ops {

// Products are accumulated, and returned, in f32 whatever the operands' types. `t`: the second operand is transposed.
void register_contraction_ops() {
  register_structured({
      {"matmul", {"a", "b"}, "c[..., n] = sum(k) a[..., k] * b[k, n]", ResultDType::kF32, ResultLayout::kRowMajor},
      // Of weights with fewer bits the rows may be rounded to these.
      {"matmul_nt",
       {"a", "b"},
       "c[..., n] = sum(k) a[..., k] * b[n, k]",
       ResultDType::kF32,
       ResultLayout::kRowMajor,
       true},
      // Of weights in blocks that share a scale, which is a product of two where blocks of blocks have one too.
      {"scaled_matmul_nt",
       {"a", "b", "scales"},
       "c[..., n] = sum(k) a[..., k] * b[n, k] * scales[n, k / block]",
       ResultDType::kF32,
       ResultLayout::kRowMajor},
      {"nested_matmul_nt",
       {"a", "b", "scales", "outer"},
       "c[..., n] = sum(k) a[..., k] * b[n, k] * scales[n, k / block] * outer[n, k / outer_block]",
       ResultDType::kF32,
       ResultLayout::kRowMajor},
      // The same with rows in codes too, which are whole numbers from -127 to 127, as quantise makes them.
      {"scaled_rows_matmul_nt",
       {"a", "row_scales", "b", "scales"},
       "c[..., n] = sum(k) a[..., k] * b[n, k] * row_scales[..., k / block] * scales[n, k / block]",
       ResultDType::kF32,
       ResultLayout::kRowMajor},
      {"nested_rows_matmul_nt",
       {"a", "row_scales", "b", "scales", "outer"},
       "c[..., n] = sum(k) a[..., k] * b[n, k] * row_scales[..., k / block] * scales[n, k / block] * "
       "outer[n, k / outer_block]",
       ResultDType::kF32,
       ResultLayout::kRowMajor},
      {"matmul_tn", {"a", "b"}, "c[m, n] = sum(k) a[k, m] * b[k, n]", ResultDType::kF32, ResultLayout::kRowMajor},
      {"batch_matmul",
       {"a", "b"},
       "c[b0, m, n] = sum(k) a[b0, m, k] * b[b0, k, n]",
       ResultDType::kF32,
       ResultLayout::kRowMajor},
      {"batch_matmul_nt",
       {"a", "b"},
       "c[b0, m, n] = sum(k) a[b0, m, k] * b[b0, n, k]",
       ResultDType::kF32,
       ResultLayout::kRowMajor},
      // Several of the first operand's batches share one of the second's.
      {"grouped_matmul",
       {"a", "b"},
       "c[h, m, n] = sum(k) a[h, m, k] * b[h / group, k, n]",
       ResultDType::kF32,
       ResultLayout::kRowMajor},
      {"grouped_matmul_nt",
       {"a", "b"},
       "c[h, m, n] = sum(k) a[h, m, k] * b[h / group, n, k]",
       ResultDType::kF32,
       ResultLayout::kRowMajor},
  });
}

}  // namespace strata::ops
