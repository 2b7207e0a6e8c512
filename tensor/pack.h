// SPDX-License-Identifier: Apache-2.0
// Packing of matmul operands. Weights are packed once, when a model is compiled; activations just before a matmul of
// many rows. Every packed buffer is padded with zeros to whole panels and whole pairs.
#pragma once

#include "tensor/vec.h"

namespace strata::tensor {

// Layout of the second operand of C[m, n] = sum_k A[m, k] * B[n, k].
enum class BLayout {
  kLanes,  // B<L@n>:      [ceil(N/L)][K][L]
  kPairs,  // B<L@n,2@k>:  [ceil(N/L)][ceil(K/2)][L][2], bf16
};

// Values of k that lie side by side in one lane.
template <BLayout Layout>
inline constexpr int kStepOf = Layout == BLayout::kPairs ? 2 : 1;

constexpr std::int64_t div_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Elements of one packed panel of L columns.
template <int L, BLayout Layout>
constexpr std::int64_t panel_elements(std::int64_t k) {
  return Layout == BLayout::kPairs ? div_up(k, 2) * 2 * L : k * L;
}
template <int L, BLayout Layout>
constexpr std::int64_t packed_b_elements(std::int64_t n, std::int64_t k) {
  return div_up(n, L) * panel_elements<L, Layout>(k);
}

// Position of B[n, k] in the packed buffer.
template <int L, BLayout Layout>
constexpr std::int64_t packed_b_index(std::int64_t n, std::int64_t i, std::int64_t k) {
  const std::int64_t panel = n / L * panel_elements<L, Layout>(k);
  return Layout == BLayout::kPairs ? panel + i / 2 * 2 * L + n % L * 2 + i % 2 : panel + i * L + n % L;
}

// B row-major [n][k] into panels; `out` has packed_b_elements.
template <int L, BLayout Layout, class T>
void pack_panels(const T* b, std::int64_t n, std::int64_t k, T* out) {
  constexpr int kStep = kStepOf<Layout>;
  for (std::int64_t p = 0; p < div_up(n, L); ++p) {
    for (std::int64_t i = 0; i < div_up(k, kStep); ++i) {
      for (std::int64_t j = 0; j < L; ++j) {
        for (std::int64_t s = 0; s < kStep; ++s) {
          const bool inside = p * L + j < n && i * kStep + s < k;
          *out++ = inside ? b[(p * L + j) * k + i * kStep + s] : T{};
        }
      }
    }
  }
}

constexpr std::int64_t packed_rows_elements(int mr, std::int64_t m, std::int64_t k) { return div_up(m, mr) * mr * k; }
constexpr std::int64_t packed_row_pairs_elements(int mr, std::int64_t m, std::int64_t k) {
  return div_up(m, mr) * mr * div_up(k, 2) * 2;
}

// x row-major [m][k] with leading dimension ldx into A<MR@m>: [ceil(m/MR)][k][MR].
template <int MR>
STRATA_NOINLINE void pack_rows(const float* x, std::int64_t ldx, std::int64_t m, std::int64_t k, float* out) {
  for (std::int64_t row = 0; row < m; row += MR, out += MR * k) {
    for (std::int64_t i = 0; i < k; ++i) {
      STRATA_UNROLL
      for (int r = 0; r < MR; ++r) out[i * MR + r] = row + r < m ? x[(row + r) * ldx + i] : 0.0f;
    }
  }
}

// x row-major [m][k] into A<MR@m,2@k>: [ceil(m/MR)][ceil(k/2)][MR][2], rounded to bf16 (nearest even).
template <int MR>
STRATA_NOINLINE void pack_rows_pairs(const float* x, std::int64_t ldx, std::int64_t m, std::int64_t k, bf16* out) {
  const std::int64_t pairs = div_up(k, 2);
  for (std::int64_t row = 0; row < m; row += MR, out += MR * 2 * pairs) {
    for (std::int64_t i = 0; i < pairs; ++i) {
      STRATA_UNROLL
      for (int r = 0; r < MR; ++r) {
        const float* pair = x + (row + r) * ldx + 2 * i;
        out[(i * MR + r) * 2] = bf16(row + r < m ? pair[0] : 0.0f);
        out[(i * MR + r) * 2 + 1] = bf16(row + r < m && 2 * i + 1 < k ? pair[1] : 0.0f);
      }
    }
  }
}

}  // namespace strata::tensor
