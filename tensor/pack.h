// SPDX-License-Identifier: Apache-2.0
// Packing of matmul operands. Weights are packed once, when a model is compiled; activations just before a matmul of
// many rows. Every packed buffer is padded with zeros to whole panels and whole pairs.
#pragma once

#include "tensor/interleave.h"
#include "tensor/loops.h"
#include "tensor/range.h"

namespace strata::tensor {

// Layout of the second operand of C[m, n] = sum_k A[m, k] * B[n, k].
enum class BLayout {
  kLanes,  // B<L@n>:      [ceil(N/L)][K][L]
  kPairs,  // B<L@n,2@k>:  [ceil(N/L)][ceil(K/2)][L][2], bf16
  kQuads,  // B<L@n,4@k>:  [ceil(N/L)][ceil(K/4)][L][4], i8
};

// Values of k that lie side by side in one lane.
template <BLayout Layout>
inline constexpr int kStepOf = Layout == BLayout::kQuads   ? 4
                               : Layout == BLayout::kPairs ? 2
                                                           : 1;

// Elements of one packed panel of L columns.
template <int L, BLayout Layout>
constexpr std::int64_t panel_elements(std::int64_t k) {
  return div_up(k, kStepOf<Layout>) * kStepOf<Layout> * L;
}
template <int L, BLayout Layout>
constexpr std::int64_t packed_b_elements(std::int64_t n, std::int64_t k) {
  return div_up(n, L) * panel_elements<L, Layout>(k);
}

// Position of B[n, k] in the packed buffer.
template <int L, BLayout Layout>
constexpr std::int64_t packed_b_index(std::int64_t n, std::int64_t i, std::int64_t k) {
  constexpr std::int64_t kStep = kStepOf<Layout>;
  return n / L * panel_elements<L, Layout>(k) + i / kStep * kStep * L + n % L * kStep + i % kStep;
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

// N words: elements, or pairs of bf16, the even one in the lower half.
template <int N, class T>
STRATA_INLINE Words<N> load_words(const T* x) {
  Words<N> words;
  __builtin_memcpy(&words, x, sizeof(words));
  return words;
}

// `words` words of each of the first `rows` of MR rows, one word being an element, a pair of bf16 or a quad of i8; the
// other rows are zeros. `out` is [words][MR]. As fast as a copy on Zen 5 (0.06 ns per element from the L2 cache).
template <int L, int MR, class T>
STRATA_INLINE void pack_tile(const T* x, std::int64_t ldx, std::int64_t rows, std::int64_t words, T* out) {
  constexpr int kPerWord = sizeof(float) / sizeof(T);
  for_each_lane_group<L>(words, [&](auto lanes, std::int64_t i) {
    constexpr int N = decltype(lanes)::count;
    Words<N> tile[MR];
    STRATA_UNROLL
    for (int r = 0; r < MR; ++r) {
      tile[r] = r < rows ? load_words<N>(x + r * ldx + i * kPerWord) : Words<N>{};
    }
    interleave<N, MR>(tile);
    __builtin_memcpy(out, tile, sizeof(tile));
    out += N * MR * kPerWord;
  });
}

// x row-major [m][k] with leading dimension ldx into A<MR@m>: [ceil(m/MR)][k][MR]. Of rows of `all` elements, k of them
// whose place in the first tile is `out`.
template <int L, int MR>
STRATA_NOINLINE void pack_rows(const float* x, std::int64_t ldx, std::int64_t m, std::int64_t k, std::int64_t all,
                               float* out) {
  for (; m > 0; m -= MR, x += MR * ldx, out += MR * all) pack_tile<L, MR>(x, ldx, m, k, out);
}

// x row-major [m][k] into A<MR@m,2@k>: [ceil(m/MR)][ceil(k/2)][MR][2]. The same of a part of the rows, which begins
// with a pair and ends with one, or at their end.
template <int L, int MR>
STRATA_NOINLINE void pack_rows_pairs(const bf16* x, std::int64_t ldx, std::int64_t m, std::int64_t k, std::int64_t all,
                                     bf16* out) {
  for (; m > 0; m -= MR, x += MR * ldx, out += div_up(all, 2) * MR * 2) {
    pack_tile<L, MR>(x, ldx, m, k / 2, out);
    bf16* last = out + k / 2 * MR * 2;
    for (int r = 0; k % 2 != 0 && r < MR; ++r, last += 2) {
      last[0] = r < m ? x[r * ldx + k - 1] : bf16(0.0f);
      last[1] = bf16(0.0f);
    }
  }
}

// x row-major [m][k] with leading dimension ldx into A<MR@m,4@k>: [ceil(m/MR)][ceil(k/4)][MR][4], padded with zeros. Of
// rows of `all` elements, k of them whose place in the first tile is `out`; they begin at a multiple of 4.
template <int MR, int L = 8>
STRATA_NOINLINE void pack_rows_quads(const std::int8_t* x, std::int64_t ldx, std::int64_t m, std::int64_t k,
                                     std::int64_t all, std::int8_t* out) {
  for (; m > 0; m -= MR, x += MR * ldx, out += div_up(all, 4) * MR * 4) {
    pack_tile<L, MR>(x, ldx, m, k / 4, out);
    std::int8_t* to = out + k / 4 * MR * 4;
    for (std::int64_t r = 0; k % 4 != 0 && r < MR; ++r, to += 4) {
      for (std::int64_t s = 0; s < 4; ++s) to[s] = r < m && s < k % 4 ? x[r * ldx + k / 4 * 4 + s] : std::int8_t{0};
    }
  }
}

}  // namespace strata::tensor
