// SPDX-License-Identifier: Apache-2.0
// Rows of f32 as codes in [-127, 127] with a scale for each block of k, the largest of a block's magnitudes / 127.
#pragma once

#include "tensor/loops.h"
#include "tensor/range.h"

namespace strata::tensor {

// Scales of the rows x, [m][k] with leading dimension ldx: t, [m][ceil(k / Block)]. That of a block of zeros is 0. NaN
// may or may not come through.
template <int L, std::int64_t Block>
STRATA_NOINLINE void row_block_scales(const float* x, std::int64_t ldx, std::int64_t m, std::int64_t k, float* t) {
  for (std::int64_t row = 0; row < m; ++row, x += ldx) {
    for (std::int64_t first = 0; first < k; first += Block) {
      const std::int64_t count = k - first < Block ? k - first : Block;
      const float most = reduce<L>(count, 0.0f, Max{}, [&](auto lanes, std::int64_t i) STRATA_INLINE_LAMBDA {
        return abs(load(lanes, x + first + i));
      });
      *t++ = most / 127.0f;
    }
  }
}

// The nearest integers to x / t, at most 127 in magnitude, ties to even; zeros where t is 0. q: [m][k].
template <int L, std::int64_t Block>
STRATA_NOINLINE void quantise_rows(const float* x, std::int64_t ldx, const float* t, std::int64_t m, std::int64_t k,
                                   std::int8_t* q) {
  for (std::int64_t row = 0; row < m; ++row, x += ldx, q += k) {
    for (std::int64_t first = 0; first < k; first += Block) {
      const float scale = *t++;
      const std::int64_t count = k - first < Block ? k - first : Block;
      for_each_lane_group<L>(count, [&](auto lanes, std::int64_t i) STRATA_INLINE_LAMBDA {
        constexpr float kRound = 0x1.8p23f;  // adding it leaves an integer
        const auto value = load(lanes, x + first + i) / splat(lanes, scale == 0.0f ? 1.0f : scale);
        const auto clamped = max(splat(lanes, -127.0f), min(splat(lanes, 127.0f), value));
        store(lanes, q + first + i, settled(clamped + kRound) - kRound);
      });
    }
  }
}

}  // namespace strata::tensor
