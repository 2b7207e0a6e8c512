// SPDX-License-Identifier: Apache-2.0
// Packed matmul C[m, n] = sum_k A[m, k] * B[n, k], accumulated in f32. B is packed once into panels of L columns (see
// pack.h); threads divide the panels. L is the machine's lanes of f32, or any power of two.
#pragma once

#include "tensor/pack.h"
#include "tensor/tile.h"

namespace strata::tensor {

// How a matmul of one row reads B: `panels` side by side, fetching each `ahead` bytes before it is needed (0: leaving
// that to the processor). `locality` as __builtin_prefetch has it: 0 for a line that is used once, 3 for all caches.
// Which one is fastest differs between processors, even of one maker (machines/, strata calibrate).
struct Stream {
  int panels = 1;
  int ahead = 0;
  int locality = 0;
};

template <int L, BLayout Layout, class T>
STRATA_INLINE TileB<T> panels_at(const T* b, std::int64_t panel, std::int64_t k) {
  const std::int64_t size = panel_elements<L, Layout>(k);
  return {b + panel * size, size, kStepOf<Layout> * L};
}

// One step along k: one value of k in B<L@n>, a pair in B<L@n,2@k> (or its even half alone, where k is odd). The sums
// are spread over `Chains` tiles, because a single row has too few accumulators to hide the latency of the
// multiply-add. Rows in f32 meet B widened to f32.
template <BLayout Layout, bool EvenOnly = false, int Chains, int Rows, int NV, int L, class TB>
STRATA_INLINE void gemv_step(Tile<Rows, NV, L> (&chains)[Chains], int step, const float* a, std::int64_t lda,
                             const TB* b, std::int64_t panel) {
  Vec<float, L> lanes[NV];
  if constexpr (Layout == BLayout::kPairs) {
    Vec<float, L> odd[NV];
    STRATA_UNROLL
    for (int v = 0; v < NV; ++v) {
      const auto pairs = load_pairs<L>(b + v * panel);
      lanes[v] = even_of_pairs<L>(pairs);
      odd[v] = odd_of_pairs<L>(pairs);
    }
    chains[2 * step % Chains].add_outer(a, lda, lanes);
    if constexpr (!EvenOnly) chains[(2 * step + 1) % Chains].add_outer(a + 1, lda, odd);
  } else {
    STRATA_UNROLL
    for (int v = 0; v < NV; ++v) lanes[v] = load(Lanes<L>{}, b + v * panel);
    chains[step % Chains].add_outer(a, lda, lanes);
  }
}

// Rows in pairs of bf16, padded with a zero as B is, meet it in the dot-product unit.
template <BLayout Layout, bool EvenOnly = false, int Chains, int Rows, int NV, int L>
STRATA_INLINE void gemv_step(Tile<Rows, NV, L> (&chains)[Chains], int step, const bf16* a, std::int64_t lda,
                             const bf16* b, std::int64_t panel) {
  static_assert(Layout == BLayout::kPairs, "pairs meet pairs");
  multiply_pairs(chains[step % Chains], TileA<bf16>{a, lda, 2}, TileB<bf16>{b, panel, 2 * L}, 1);
}

// Rows of A times `How.panels` panels. One panel at a time is a single sequential stream through B, which the prefetch
// runs ahead of, across the ends of pages and panels.
template <int L, Stream How, BLayout Layout, int Rows, class TA, class TB, class Store>
STRATA_INLINE void gemv_group(const TA* a, std::int64_t lda, const TB* b, std::int64_t k, std::int64_t n, float* c,
                              std::int64_t ldc, std::int64_t panel, const Store& write) {
  constexpr int NV = How.panels;
  constexpr int kStep = kStepOf<Layout>;
  constexpr int kChains = Rows * NV >= 4 ? 1 : 4 / (Rows * NV);
  constexpr int kStepBytes = L * kStep * static_cast<int>(sizeof(TB));
  constexpr int kStepsPerLine = kStepBytes >= 64 ? 1 : 64 / kStepBytes;
  constexpr int kUnroll = kStepsPerLine > kChains ? kStepsPerLine : kChains;
  Tile<Rows, NV, L> chains[kChains];
  STRATA_UNROLL
  for (int u = 0; u < kChains; ++u) chains[u].clear();
  const TileB<TB> lanes = panels_at<L, Layout>(b, panel, k);
  std::int64_t i = 0;
  for (; i + kUnroll * kStep <= k; i += kUnroll * kStep) {
    STRATA_UNROLL
    for (int s = 0; s < kUnroll; ++s) {
      const TB* from = lanes.data + (i + s * kStep) * L;
      if (How.ahead > 0 && s % kStepsPerLine == 0) {
        STRATA_UNROLL
        for (int v = 0; v < NV; ++v) {
          const auto* line = reinterpret_cast<const char*>(from + v * lanes.panel);
          __builtin_prefetch(line + How.ahead, 0, How.locality);
        }
      }
      gemv_step<Layout>(chains, s, a + i + s * kStep, lda, from, lanes.panel);
    }
  }
  for (; i + kStep <= k; i += kStep) gemv_step<Layout>(chains, 0, a + i, lda, lanes.data + i * L, lanes.panel);
  STRATA_UNROLL
  for (int u = 1; u < kChains; ++u) chains[0].add(chains[u]);
  if constexpr (Layout == BLayout::kPairs) {
    if (i < k) gemv_step<Layout, true>(chains, 0, a + i, lda, lanes.data + i * L, lanes.panel);
  }
  store_tile(chains[0], c, ldc, 0, Rows, panel * L, n - panel * L, write);
}

// One or few rows (1 to 4): streams the panels [panel_begin, panel_end) of B once. a: [Rows][k] row-major f32, or bf16
// padded to whole pairs (A<2@k>) with B<L@n,2@k> bf16; c: [Rows][n] row-major f32.
//
// GB/s on one core of an EPYC (Zen 4), weights from memory in huge pages, K 1024 | 3072, medians of 7: one panel, not
// fetched ahead f32 32.0 | 32.4, f16 31.1 | 29.5, bf16 pairs 30.2 | 30.5; 4 KiB ahead for one use 32.9 | 32.7, 30.3 |
// 30.1, 30.8 | 30.1; 8 KiB ahead into all caches 30.7 | 30.5, 28.9 | 27.0, 28.9 | 27.4; into the L2 cache alone f16 22,
// f32 28; four panels side by side f32 30.6 | 31.2, f16 27.1 | 29.1. On a Zen 5 beside other work four panels gained
// 8 % for f32, and fetching 8 KiB ahead into all caches 10 % for f16.
template <int L, Stream How, BLayout Layout, int Rows = 1, class TA, class TB, class Store = Overwrite>
STRATA_NOINLINE void gemv_panels(const TA* a, std::int64_t lda, const TB* b, std::int64_t k, std::int64_t n, float* c,
                                 std::int64_t ldc, std::int64_t panel_begin, std::int64_t panel_end,
                                 const Store& write = {}) {
  static_assert(Rows >= 1 && Rows <= 4, "more rows go through gemm_panels");
  std::int64_t p = panel_begin;
  for (; p + How.panels <= panel_end; p += How.panels) {
    gemv_group<L, How, Layout, Rows>(a, lda, b, k, n, c, ldc, p, write);
  }
  if constexpr (How.panels > 1) {
    constexpr Stream kOne{1, How.ahead, How.locality};
    for (; p < panel_end; ++p) gemv_group<L, kOne, Layout, Rows>(a, lda, b, k, n, c, ldc, p, write);
  }
}

// Rows that a tile of at most `most` computes for so many.
constexpr std::int64_t tile_height(std::int64_t rows, std::int64_t most) {
  const std::int64_t height = rows <= 4 ? rows : (rows + 1) / 2 * 2;
  return height < most ? height : most;
}

// Calls f(Lanes<R>{}) with the smallest R >= rows out of 1, 2, 3, 4, 6, 8, ... MR. A tile of R rows computes the
// padding too: half as many kernels to compile as one for every height, for at most a fifth more work in the last tile.
template <int MR, int R = 1, class F>
STRATA_INLINE void dispatch_height(std::int64_t rows, F&& f) {
  if constexpr (R >= MR) {
    f(Lanes<MR>{});
  } else if (rows <= R) {
    f(Lanes<R>{});
  } else {
    dispatch_height<MR, (R < 4 ? R + 1 : R + 2)>(rows, f);
  }
}

// Floats that panels of `depth` values of k take when they are widened to f32.
constexpr std::int64_t widened_elements(std::int64_t lanes, std::int64_t panels, std::int64_t depth) {
  return panels * lanes * depth;
}

// k values [0, depth) of NV panels as f32 in B<L@n>; an odd depth is the end of the panel.
template <int L, int NV, BLayout Layout, class TB>
STRATA_INLINE void convert_panels(TileB<TB> b, std::int64_t depth, float* out) {
  for (int v = 0; v < NV; ++v) {
    const TB* in = b.data + v * b.panel;
    float* to = out + v * depth * L;
    if constexpr (Layout == BLayout::kPairs) {
      for (std::int64_t i = 0; i < depth; i += 2) {
        const auto pairs = load_pairs<L>(in + i * L);
        store(Lanes<L>{}, to + i * L, even_of_pairs<L>(pairs));
        if (i + 1 < depth) store(Lanes<L>{}, to + (i + 1) * L, odd_of_pairs<L>(pairs));
      }
    } else {
      for (std::int64_t i = 0; i < depth; ++i) store(Lanes<L>{}, to + i * L, load(Lanes<L>{}, in + i * L));
    }
  }
}

// Where a matmul writes: the first m rows and n columns of C.
struct GemmTarget {
  float* c;
  std::int64_t ldc, m, n;
  bool adds = false;  // to what is there

  // Of a block of k: what the first one writes, those behind it add to.
  STRATA_INLINE GemmTarget of(Range depth) const { return {c, ldc, m, n, depth.begin > 0}; }
};

// Where a matrix would begin of which a tile in memory of its own, with rows so far apart, holds the rows from `row` on
// and the columns from `column` on.
STRATA_INLINE float* tile_as_whole(float* tile, std::int64_t stride, std::int64_t row, std::int64_t column) {
  const auto skipped = static_cast<std::uintptr_t>(row * stride + column) * sizeof(float);
  return reinterpret_cast<float*>(reinterpret_cast<std::uintptr_t>(tile) - skipped);
}

// A block of A: `rows` from `row` on and `depth` values of k. data: row 0 at the first of them; row tile t begins at
// data + t * tile.
template <class TA>
struct GemmRows {
  const TA* data;
  std::int64_t tile, row, rows, depth;
};

// tile += a * b over `depth` values of k, for operands of this layout: that of quads is in tensor/quads.h. a: inside
// the tile of A<MR@m> (f32), A<MR@m,2@k> (bf16) or A<MR@m,4@k> (i8).
template <BLayout Layout>
struct TileProduct {
  template <int MR, int Locality, int Rows, int NV, int L, class TB>
  static STRATA_INLINE void add(Tile<Rows, NV, L>& tile, const float* a, TileB<TB> b, std::int64_t depth, Ahead ahead,
                                std::int64_t distance) {
    multiply_lanes<Locality>(tile, TileA<float>{a, 1, MR}, TileB<TB>{b.data, b.panel, L}, depth, ahead, distance);
  }
};
template <>
struct TileProduct<BLayout::kPairs> {
  template <int MR, int Locality, int Rows, int NV, int L>
  static STRATA_INLINE void add(Tile<Rows, NV, L>& tile, const bf16* a, TileB<bf16> b, std::int64_t depth, Ahead ahead,
                                std::int64_t distance) {
    multiply_pairs<Locality>(tile, TileA<bf16>{a, 2, 2 * MR}, TileB<bf16>{b.data, b.panel, 2 * L}, div_up(depth, 2),
                             ahead, distance);
  }
};

// One row tile times NV panels.
template <int L, int MR, int NV, int Rows, BLayout Layout, Stream How, class TA, class TB>
STRATA_NOINLINE void gemm_tile(const TA* a, TileB<TB> b, std::int64_t depth, const GemmTarget& out, std::int64_t row,
                               std::int64_t column, Ahead ahead) {
  // C arrives while the sums are made: without this a tile of later passes waits for each of its rows.
  float* c = out.c + row * out.ldc + column;
  STRATA_UNROLL
  for (int r = 0; r < Rows; ++r) {
    STRATA_UNROLL
    for (int line = 0; line * 16 < NV * L; ++line) __builtin_prefetch(c + r * out.ldc + line * 16, 1);
  }
  // A single row tile reads B once, from memory.
  const std::int64_t distance = out.m <= MR ? How.ahead / static_cast<std::int64_t>(sizeof(TB)) : 0;
  Tile<Rows, NV, L> tile;
  tile.clear();
  TileProduct<Layout>::template add<MR, How.locality>(tile, a, b, depth, ahead, distance);
  if (out.adds) {
    store_tile(tile, out.c, out.ldc, row, out.m - row, column, out.n - column, Accumulate{});
  } else {
    store_tile(tile, out.c, out.ldc, row, out.m - row, column, out.n - column, Overwrite{});
  }
}

// The part of the next group of NV panels that tile `index` of `tiles` fetches ahead: together they fetch all of it,
// but where there are fewer than half as many tiles as panels. A line twice in a step costs nothing that shows (Zen 5),
// where half as many steps with two lines each took 1.25 times as long (24 and 32 rows).
//
// bf16 pairs from memory on a Zen 5, K 1024, in ms, a panel by a tile and in brackets two: 12 rows 6 x 4 6.5 (5.2), 8 x
// 3 7.6 (5.3); 16 rows 7.5 (6.3), 8.1 (5.6); a read of the weights 3.7. In one tile: 16 x 1 6.2, 24 x 1 6.4.
template <int NV, class TB>
STRATA_INLINE Ahead share_of_next(TileB<TB> next, std::int64_t bytes_per_panel, std::int64_t index,
                                  std::int64_t tiles) {
  if (next.data == nullptr) return {};
  const auto panel = [&](std::int64_t number) {
    return reinterpret_cast<const char*>(next.data + number * next.panel);
  };
  const std::int64_t all = bytes_per_panel / 64;
  if (tiles < NV) {
    const std::int64_t first = 2 * index;
    return first < NV ? Ahead{panel(first), panel(first + 1 < NV ? first + 1 : first), all} : Ahead{};
  }
  const std::int64_t runs = tiles / NV, lines = div_up(all, runs);
  if (index / runs >= NV) return {};
  const char* const first = panel(index / runs) + index % runs * lines * 64;
  return {first, first, lines};
}

// A block of rows times one group of NV panels. `next`: the group after it as it lies in memory, or null.
template <int L, int MR, int NV, BLayout Layout, Stream How, class TA, class TB, class Next>
STRATA_INLINE void gemm_group(const GemmRows<TA>& a, TileB<TB> b, TileB<Next> next, const GemmTarget& out,
                              std::int64_t column) {
  const std::int64_t tiles = div_up(a.rows, MR);
  for (std::int64_t t = 0; t < tiles; ++t) {
    const std::int64_t row = a.row + t * MR;
    const Ahead ahead = share_of_next<NV>(next, a.depth * L * static_cast<std::int64_t>(sizeof(Next)), t, tiles);
    dispatch_height<MR>(a.rows - t * MR, [&]<int Rows>(Lanes<Rows>) {
      gemm_tile<L, MR, NV, Rows, Layout, How>(a.data + row / MR * a.tile, b, a.depth, out, row, column, ahead);
    });
  }
}

// Calls f(Lanes<NV>{}, panel) for groups of NV panels, and f(Lanes<1>{}, panel) for those that are left.
template <int NV, class F>
STRATA_INLINE void for_each_group(std::int64_t panel_begin, std::int64_t panel_end, F&& f) {
  std::int64_t p = panel_begin;
  for (; p + NV <= panel_end; p += NV) f(Lanes<NV>{}, p);
  if constexpr (NV > 1) {
    for (; p < panel_end; ++p) f(Lanes<1>{}, p);
  }
}

// A block of rows and of k as a row tile's panels see it.
template <int MR, std::int64_t Step, class TA>
STRATA_INLINE GemmRows<TA> block_of_rows(const TA* a, std::int64_t k, Range rows, Range depth) {
  return {a + depth.begin * MR, MR * div_up(k, Step) * Step, rows.begin, rows.size(), depth.size()};
}

// The panels [panel_begin, panel_end) for a block of rows and of k: writes C where the block of k is the first one, and
// adds to it afterwards. a: A<MR@m> of f32 with B<L@n> of any type, or A<MR@m,2@k> with B<L@n,2@k>, both bf16, or
// A<MR@m,4@k> with B<L@n,4@k>, both i8 (dot products). Blocks of k begin at multiples of what lies together. A single
// row tile fetches B `How.ahead` bytes ahead.
//
// MR x NV with 32 registers of 16 lanes, 512 rows, median share of the peak of the unit in bench/kernels at K 1024 |
// 3072, one core of an EPYC (Zen 5, 1 MiB L2): f32 (two runs each, beside much other work) 6 x 4 85, 88 | 87, 84 %, 8 x
// 3 86, 89 | 88, 86 %, 9 x 3 86, 90 | 88, 86 %, 14 x 2 83, 86 | 85, 83 %, 12 x 2 84, 85 | 85, 83 %; bf16 pairs 6 x 4 83
// | 87 %, 8 x 3 82 | 89 %, 14 x 2 75 | 85 %, 12 x 2 76 | 86 %. 7 x 4 spills: half the speed. Without blocks of rows A
// streams from the L3 cache: 85 to 93 % at K 1024, but 51 to 56 % at K 3072 while others used that cache.
template <int L, int MR, int NV, BLayout Layout, Stream How = Stream{}, class TA, class TB>
STRATA_NOINLINE void gemm_block(const TA* a, const TB* b, const GemmTarget& out, std::int64_t k, Range rows,
                                Range depth, std::int64_t panel_begin, std::int64_t panel_end) {
  static_assert(sizeof(TA) == 4 ? kStepOf<Layout> == 1 : kStepOf<Layout> > 1, "rows and panels lie alike");
  const GemmRows<TA> block = block_of_rows<MR, kStepOf<Layout>>(a, k, rows, depth);
  const TileB<TB> panels = panels_at<L, Layout>(b + depth.begin * L, 0, k);
  const GemmTarget target = out.of(depth);
  for_each_group<NV>(panel_begin, panel_end, [&]<int Count>(Lanes<Count>, std::int64_t p) {
    const TileB<TB> lanes{panels.data + p * panels.panel, panels.panel, panels.step};
    const TileB<TB> next{p + Count < panel_end ? lanes.data + Count * panels.panel : nullptr, panels.panel,
                         panels.step};
    gemm_group<L, MR, Count, Layout, How>(block, lanes, next, target, p * L);
  });
}

// The same for A<MR@m> of f32 and B of 16 bits in any layout: each group of panels is widened to f32 first.
template <int L, int MR, int NV, BLayout Layout, class TB>
STRATA_NOINLINE void gemm_block_widened(const float* a, const TB* b, const GemmTarget& out, std::int64_t k, Range rows,
                                        Range depth, std::int64_t panel_begin, std::int64_t panel_end, float* scratch) {
  constexpr BLayout kLanes = BLayout::kLanes;
  const GemmRows<float> block = block_of_rows<MR, 1>(a, k, rows, depth);
  const TileB<TB> panels = panels_at<L, Layout>(b + depth.begin * L, 0, k);
  const GemmTarget target = out.of(depth);
  for_each_group<NV>(panel_begin, panel_end, [&]<int Count>(Lanes<Count>, std::int64_t p) {
    const TileB<TB> lanes{panels.data + p * panels.panel, panels.panel, panels.step};
    const TileB<TB> next{p + Count < panel_end ? lanes.data + Count * panels.panel : nullptr, panels.panel,
                         panels.step};
    convert_panels<L, Count, Layout>(lanes, depth.size(), scratch);
    const TileB<float> widened{scratch, depth.size() * L, L};
    gemm_group<L, MR, Count, kLanes, Stream{}>(block, widened, next, target, p * L);
  });
}

}  // namespace strata::tensor
