// SPDX-License-Identifier: Apache-2.0
// The register tile that every matmul is made of: Rows x NV vectors of L f32 accumulators, advanced along k.
#pragma once

#include "tensor/loops.h"

namespace strata::tensor {

template <int Rows, int NV, int L>
struct Tile {
  Vec<float, L> acc[Rows][NV];

  STRATA_INLINE void clear() {
    STRATA_UNROLL
    for (int r = 0; r < Rows; ++r) {
      STRATA_UNROLL
      for (int v = 0; v < NV; ++v) acc[r][v] = Vec<float, L>{};
    }
  }

  STRATA_INLINE void add(const Tile& other) {
    STRATA_UNROLL
    for (int r = 0; r < Rows; ++r) {
      STRATA_UNROLL
      for (int v = 0; v < NV; ++v) acc[r][v] += other.acc[r][v];
    }
  }

  // acc[r][v] += a[r] * b[v], a[r] at a + r * a_row.
  STRATA_INLINE void add_outer(const float* a, std::int64_t a_row, const Vec<float, L> (&b)[NV]) {
    STRATA_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const Vec<float, L> x = splat(Lanes<L>{}, a[r * a_row]);
      STRATA_UNROLL
      for (int v = 0; v < NV; ++v) acc[r][v] += x * b[v];
    }
  }
};

// Where an operand of a tile lies. A: element (r, k) at data + r * row + k * step. B: the L lanes of panel v at k lie
// at data + v * panel + k * step.
template <class T>
struct TileA {
  const T* data;
  std::int64_t row;
  std::int64_t step;
};
template <class T>
struct TileB {
  const T* data;
  std::int64_t panel;
  std::int64_t step;
};

// Cache lines to fetch into the L2 cache during a multiplication: of two places so many each, one per step along k.
struct Ahead {
  const char* first = nullptr;
  const char* second = nullptr;
  std::int64_t lines = 0;

  // step(i) for i in [0, steps). What is asked in every step divides the loop's body, and the compiler then keeps a
  // step's vectors across the parts: 6 x 2 tiles of 16 registers spilled four vectors a step, and took 2.2 times as
  // long.
  template <class Step>
  STRATA_INLINE void run(std::int64_t steps, const Step& step) const {
    const std::int64_t fetching = lines < steps ? lines : steps;
    std::int64_t i = 0;
    STRATA_KEEP_ROLLED
    for (; i < fetching; ++i) {
      __builtin_prefetch(first + i * 64, 0, 2);
      __builtin_prefetch(second + i * 64, 0, 2);
      step(i);
    }
    STRATA_KEEP_ROLLED
    for (; i < steps; ++i) step(i);
  }
};

// step(i) for i in [0, steps), fetching B `distance` elements ahead where that is not 0, and `ahead` where it is.
template <int Locality, int NV, class T, class Step>
STRATA_INLINE void run_steps(TileB<T> b, std::int64_t steps, Ahead ahead, std::int64_t distance, const Step& step) {
  if (distance == 0) return ahead.run(steps, step);
  STRATA_KEEP_ROLLED
  for (std::int64_t i = 0; i < steps; ++i) {
    STRATA_UNROLL
    for (int v = 0; v < NV; ++v) __builtin_prefetch(b.data + v * b.panel + i * b.step + distance, 0, Locality);
    step(i);
  }
}

// tile += A * B over k values of k, one vector of lanes per k (B<L@n>, or any B whose lanes are contiguous). `distance`
// (in elements, 0 for none) fetches B that far ahead; `Locality` as __builtin_prefetch has it.
template <int Locality = 2, int Rows, int NV, int L, class T>
STRATA_INLINE void multiply_lanes(Tile<Rows, NV, L>& tile, TileA<float> a, TileB<T> b, std::int64_t k, Ahead ahead = {},
                                  std::int64_t distance = 0) {
  const auto step = [&](std::int64_t i) STRATA_INLINE_LAMBDA {
    Vec<float, L> lanes[NV];
    STRATA_UNROLL
    for (int v = 0; v < NV; ++v) lanes[v] = load(Lanes<L>{}, b.data + v * b.panel + i * b.step);
    tile.add_outer(a.data + i * a.step, a.row, lanes);
  };
  run_steps<Locality, NV>(b, k, ahead, distance, step);
}

// L pairs of bf16 as they lie in B<L@n,2@k>: the even k in the low half of each 32-bit lane.
template <int L>
STRATA_INLINE Vec<std::uint32_t, L> load_pairs(const bf16* p) {
  Vec<std::uint32_t, L> pairs;
  __builtin_memcpy(&pairs, p, sizeof(pairs));
  return pairs;
}
template <int L>
STRATA_INLINE Vec<float, L> even_of_pairs(Vec<std::uint32_t, L> pairs) {
  return bit_cast<Vec<float, L>>(pairs << 16);
}
template <int L>
STRATA_INLINE Vec<float, L> odd_of_pairs(Vec<std::uint32_t, L> pairs) {
  return bit_cast<Vec<float, L>>(pairs & 0xffff0000u);
}

// acc + a.even * b.even + a.odd * b.odd per lane, by the dot-product unit where the machine has one.
template <int L>
STRATA_INLINE Vec<float, L> dot_pairs(Vec<float, L> acc, Vec<std::uint32_t, L> a, Vec<std::uint32_t, L> b) {
  if constexpr (arch::kHasBf16Dot<L>) {
    return arch::bf16_dot<L>(acc, a, b);
  } else {
    acc += even_of_pairs<L>(a) * even_of_pairs<L>(b);
    return acc + odd_of_pairs<L>(a) * odd_of_pairs<L>(b);
  }
}

// The same for pairs of bf16 on both sides; a.row, a.step and b.step are in elements (a pair is two), `pairs` is ceil(k
// / 2).
template <int Locality = 2, int Rows, int NV, int L>
STRATA_INLINE void multiply_pairs(Tile<Rows, NV, L>& tile, TileA<bf16> a, TileB<bf16> b, std::int64_t pairs,
                                  Ahead ahead = {}, std::int64_t distance = 0) {
  const auto step = [&](std::int64_t i) STRATA_INLINE_LAMBDA {
    Vec<std::uint32_t, L> lanes[NV];
    STRATA_UNROLL
    for (int v = 0; v < NV; ++v) lanes[v] = load_pairs<L>(b.data + v * b.panel + i * b.step);
    STRATA_UNROLL
    for (int r = 0; r < Rows; ++r) {
      std::uint32_t pair;
      __builtin_memcpy(&pair, a.data + r * a.row + i * a.step, sizeof(pair));
      const Vec<std::uint32_t, L> x = Vec<std::uint32_t, L>{} + pair;
      STRATA_UNROLL
      for (int v = 0; v < NV; ++v) tile.acc[r][v] = dot_pairs<L>(tile.acc[r][v], x, lanes[v]);
    }
  };
  run_steps<Locality, NV>(b, pairs, ahead, distance, step);
}

// How results leave the registers: called with the address of C[row, column], N lanes of values and the position. Any
// functor of this form can be an epilogue of a matmul (bias, residual, conversion to another buffer); the matmul itself
// never reads or writes through the address, but C must be large enough for it to exist.
struct Overwrite {
  template <int N>
  STRATA_INLINE void operator()(Lanes<N> lanes, float* c, Vec<float, N> value, std::int64_t, std::int64_t) const {
    store(lanes, c, value);
  }
};
struct Accumulate {
  template <int N>
  STRATA_INLINE void operator()(Lanes<N> lanes, float* c, Vec<float, N> value, std::int64_t, std::int64_t) const {
    store<N>(lanes, c, load(lanes, c) + value);
  }
};

// Stores the first `rows` rows and `columns` columns of the tile at C[row0.., column0..]; c points at C[0, 0]. Where
// the last vectors of a matrix are not whole, the tile goes through memory and is stored element by element: that is
// rare, and so the code of it is small.
template <int Rows, int NV, int L, class Store>
STRATA_INLINE void store_tile(const Tile<Rows, NV, L>& tile, float* c, std::int64_t ldc, std::int64_t row0,
                              std::int64_t rows, std::int64_t column0, std::int64_t columns, const Store& write) {
  if (columns >= NV * L) {
    STRATA_UNROLL
    for (int r = 0; r < Rows; ++r) {
      if (r >= rows) break;
      float* out = c + (row0 + r) * ldc + column0;
      STRATA_UNROLL
      for (int v = 0; v < NV; ++v) {
        write(Lanes<L>{}, out + v * L, tile.acc[r][v], row0 + r, column0 + v * L);
      }
    }
    return;
  }
  float elements[Rows * NV * L];
  STRATA_UNROLL
  for (int r = 0; r < Rows; ++r) {
    STRATA_UNROLL
    for (int v = 0; v < NV; ++v) store(Lanes<L>{}, elements + (r * NV + v) * L, tile.acc[r][v]);
  }
  STRATA_KEEP_ROLLED
  for (std::int64_t r = 0; r < Rows && r < rows; ++r) {
    STRATA_KEEP_ROLLED
    for (std::int64_t i = 0; i < columns; ++i) {
      float* const out = c + (row0 + r) * ldc + column0 + i;
      write(Lanes<1>{}, out, load(Lanes<1>{}, elements + r * NV * L + i), row0 + r, column0 + i);
    }
  }
}

}  // namespace strata::tensor
