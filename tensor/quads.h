// SPDX-License-Identifier: Apache-2.0
// Matmuls of bytes on a unit that sums four products: A<MR@m,4@k> and B<L@n,4@k>, both i8. Apart from the other
// products, as Arm's instruction needs a header that other code should not pay for.
#pragma once

#include "tensor/arch/i8_dot.h"
#include "tensor/matmul.h"

namespace strata::tensor {

// What is added to a byte of the left operand, mod 256, for arch::i8_dot: it multiplies unsigned bytes by signed ones,
// but on Arm.
template <int L>
inline constexpr std::uint32_t kQuadOffset = arch::kHasSignedDot<L> ? 0 : 0x80808080u;

// Sums of integers are exact up to a depth of 2^17; the tile's are f32.
template <>
struct TileProduct<BLayout::kQuads> {
  template <int MR, int Locality, int Rows, int NV, int L>
  static STRATA_INLINE void add(Tile<Rows, NV, L>& tile, const std::int8_t* a, TileB<std::int8_t> b, std::int64_t depth,
                                Ahead ahead, std::int64_t distance) {
    using Sums = Vec<std::int32_t, L>;
    Sums sums[Rows][NV] = {}, offset[NV] = {};
    const TileB<std::int8_t> quads{b.data, b.panel, 4 * L};
    run_steps<Locality, NV>(quads, div_up(depth, 4), ahead, distance, [&](std::int64_t i) STRATA_INLINE_LAMBDA {
      Sums lanes[NV];
      STRATA_UNROLL
      for (int v = 0; v < NV; ++v) {
        __builtin_memcpy(&lanes[v], quads.data + v * quads.panel + i * quads.step, sizeof(Sums));
        if constexpr (kQuadOffset<L> != 0)
          offset[v] = arch::i8_dot<L>(offset[v], Sums{} + int(kQuadOffset<L>), lanes[v]);
      }
      STRATA_UNROLL
      for (int r = 0; r < Rows; ++r) {
        std::uint32_t quad;
        __builtin_memcpy(&quad, a + (i * MR + r) * 4, sizeof(quad));
        const Sums x = Sums{} + int(quad ^ kQuadOffset<L>);
        STRATA_UNROLL
        for (int v = 0; v < NV; ++v) sums[r][v] = arch::i8_dot<L>(sums[r][v], x, lanes[v]);
      }
    });
    STRATA_UNROLL
    for (int r = 0; r < Rows; ++r) {
      STRATA_UNROLL
      for (int v = 0; v < NV; ++v) tile.acc[r][v] += __builtin_convertvector(sums[r][v] - offset[v], Vec<float, L>);
    }
  }
};

}  // namespace strata::tensor
