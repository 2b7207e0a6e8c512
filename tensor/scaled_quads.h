// SPDX-License-Identifier: Apache-2.0
// Matmuls by quantised weights (tensor/scaled.h) of rows that are quantised as well: the products of a block are sums
// of integers. Apart from the other products, as Arm's instruction needs a header that other code
// should not pay for.
//
// Codes of rows are in [-127, 127]; each block of k has a scale of its own.
#pragma once

#include "tensor/arch/i8_dot.h"
#include "tensor/scaled.h"

namespace strata::tensor {

// The least and the largest code of a matrix, 0 among them. Where an instruction sums pairs of bytes in 16 bits, sums
// of small codes take fewer of them.
struct CodeBounds {
  int low = -128;
  int high = 127;
};

// How the products of a row's codes and weights are summed.
enum class QuadForm {
  kSigned,    // by an instruction for signed bytes, or portably
  kUnsigned,  // weights minus the least code, which is positive; what that adds to the sums is taken off
  kSigns,     // weights without their signs, which the row takes
};
template <int L, CodeBounds Bounds>
constexpr QuadForm quad_form() {
  if (arch::kHasUnsignedDot<L>) return QuadForm::kUnsigned;
  // Pairs of unsigned weights up to 128 fit 16 bits.
  if (arch::kHasBytePairs<L>) return Bounds.high - Bounds.low <= 128 ? QuadForm::kUnsigned : QuadForm::kSigns;
  return QuadForm::kSigned;
}

// That of few rows: what unsigned weights add to their sums is as much work as the products.
template <int L>
constexpr QuadForm few_rows_form() {
  return arch::kHasBytePairs<L> && !arch::kHasUnsignedDot<L> ? QuadForm::kSigns : QuadForm::kSigned;
}

// Whether sums are made of pairs of bytes in 16 bits.
template <int L>
inline constexpr bool kSumsPairs = arch::kHasBytePairs<L> && !arch::kHasUnsignedDot<L>;

// Values of k, a power of two of at least 4 that divides `limit`, whose sums of pairs fit 16 bits.
template <QuadForm Form, CodeBounds Bounds>
constexpr int summable_values(int limit) {
  const int magnitude = -Bounds.low > Bounds.high ? -Bounds.low : Bounds.high;
  const int most = Form == QuadForm::kUnsigned ? Bounds.high - Bounds.low : magnitude;
  int values = 4;
  while (limit % (2 * values) == 0 && values / 2 * 2 * 127 * most <= 32767) values *= 2;
  return values;
}

template <QuadForm Form, int L>
STRATA_INLINE Vec<short, 2 * L> sums_of_pairs(Vec<std::int32_t, L> x, Vec<std::int32_t, L> w) {
  if constexpr (Form == QuadForm::kUnsigned) return arch::byte_pairs<L>(w, x);
  if constexpr (Form == QuadForm::kSigns) return arch::byte_pairs<L>(arch::magnitudes<L>(w), arch::with_signs<L>(x, w));
}

template <int L>
STRATA_INLINE Vec<std::int32_t, L> splat_quad(const std::int8_t* a) {
  std::int32_t quad;
  __builtin_memcpy(&quad, a, sizeof(quad));
  return Vec<std::int32_t, L>{} + quad;
}

// Products by value in [0, Rows) x [0, NV): f(sum, x, w) for quads V of a group. a: in the tile, where the group
// begins.
template <int V, int MR, int L, class Sum, int Rows, int NV, class Panels, class Codes, class F>
STRATA_INLINE void each_product(Sum (&sums)[Rows][NV], const std::int8_t* a, const Panels& panels, const Codes* group,
                                F&& f) {
  Vec<std::int32_t, L> w[NV];
  STRATA_UNROLL
  for (int v = 0; v < NV; ++v) w[v] = panels.template quads<V>(group + v * panels.panel_bytes());
  STRATA_UNROLL
  for (int r = 0; r < Rows; ++r) {
    const Vec<std::int32_t, L> x = splat_quad<L>(a + V * 4 * MR + r * 4);
    STRATA_UNROLL
    for (int v = 0; v < NV; ++v) f(sums[r][v], x, w[v]);
  }
}

// sums += the products of the first Rows rows of a tile and NV panels over a block.
template <QuadForm Form, CodeBounds Bounds, std::int64_t Block, Stream How, int MR, int L, int Rows, int NV,
          class Panels, class Codes>
STRATA_INLINE void add_block(Vec<std::int32_t, L> (&sums)[Rows][NV], const std::int8_t* a, const Panels& panels,
                             const Codes* group) {
  using Quads = Vec<std::int32_t, L>;
  constexpr std::int64_t kBytes = Panels::kGroupBytes;
  const auto fetch = [&](const Codes* from) STRATA_INLINE_LAMBDA {
    STRATA_UNROLL
    for (int v = 0; v < NV; ++v) fetch_ahead<How, kBytes>(from + v * panels.panel_bytes());
  };
  constexpr int kValues = kSumsPairs<L> ? summable_values<Form, Bounds>(Block) : 4;
  if constexpr (kValues > 4) {
    using Pairs = Vec<short, 2 * L>;
    STRATA_KEEP_ROLLED
    for (std::int64_t first = 0; first < Block; first += kValues) {
      Pairs pairs[Rows][NV] = {};
      const auto add = [](Pairs& sum, Quads x, Quads w) STRATA_INLINE_LAMBDA { sum += sums_of_pairs<Form, L>(x, w); };
      STRATA_KEEP_ROLLED
      for (int i = 0; i < kValues; i += 8, a += 8 * MR, group += kBytes) {
        fetch(group);
        each_product<0, MR, L>(pairs, a, panels, group, add);
        each_product<1, MR, L>(pairs, a, panels, group, add);
      }
      STRATA_UNROLL
      for (int r = 0; r < Rows; ++r) {
        STRATA_UNROLL
        for (int v = 0; v < NV; ++v) sums[r][v] = arch::add_pairs<L>(sums[r][v], pairs[r][v]);
      }
    }
  } else {
    const auto add = [](Quads& sum, Quads x, Quads w) STRATA_INLINE_LAMBDA {
      if constexpr (kSumsPairs<L>) {
        sum = arch::add_pairs<L>(sum, sums_of_pairs<Form, L>(x, w));
      } else if constexpr (Form == QuadForm::kUnsigned) {
        sum = arch::i8_dot<L>(sum, w, x);
      } else {
        sum = arch::i8_dot_signed<L>(sum, x, w);
      }
    };
    STRATA_KEEP_ROLLED
    for (std::int64_t i = 0; i < Block; i += 8, a += 8 * MR, group += kBytes) {
      fetch(group);
      each_product<0, MR, L>(sums, a, panels, group, add);
      each_product<1, MR, L>(sums, a, panels, group, add);
    }
  }
}

// One row of codes [k] with their scales [k / Block] times the panels [panel_begin, panel_end): c[n] f32. How: as
// Stream has it, but for the panels side by side.
//
// GB/s of codes and scales with one thread of an EPYC (Zen 3, beside other work, by the thread's own time), f32 panels
// 10.0 | 9.4 (K 1024 | 3072): bytes, not fetched ahead, 9.3 | 9.2, 4 KiB ahead 10.6 | 9.6; 4 bits, codes of any
// size 8.4 | 8.0, 10.1 | 9.7; codes from -8 to 7 8.7 | 7.8, 10.7 | 10.7.
template <int L, std::int64_t Block, Stream How, CodeBounds Bounds = CodeBounds{}, class Codes, class Scales,
          class Store = Overwrite>
STRATA_NOINLINE void gemv_scaled_quads(const std::int8_t* a, const float* row_scales, const Codes* b, Scales scales,
                                       std::int64_t k, std::int64_t n, float* c, std::int64_t panel_begin,
                                       std::int64_t panel_end, const Store& write = {}) {
  static_assert(Block % 8 == 0);
  constexpr QuadForm kForm = few_rows_form<L>();
  const CodePanels<Codes, L> panels(b, k);
  const std::int64_t blocks = k / Block;
  for (std::int64_t p = panel_begin; p < panel_end; ++p) {
    Tile<1, 1, L> total;
    total.clear();
    for (std::int64_t block = 0; block < blocks; ++block) {
      Vec<std::int32_t, L> sums[1][1] = {};
      add_block<kForm, Bounds, Block, How, 1, L>(sums, a + block * Block, panels, panels.group(p, block * Block));
      const Vec<float, L> scale = row_scales[block] * scales.template at<L>(p, block, blocks);
      total.acc[0][0] += convert<float, L>(sums[0][0]) * scale;
    }
    store_tile(total, c, n, 0, 1, p * L, n - p * L, write);
  }
}

// acc + the sum of each quad of signed bytes.
template <int N>
STRATA_INLINE Vec<std::int32_t, N> add_quads(Vec<std::int32_t, N> acc, Vec<std::int32_t, N> quads) {
  const Vec<std::int32_t, N> ones = Vec<std::int32_t, N>{} + 0x01010101;
  if constexpr (arch::kHasUnsignedDot<N>) {
    return arch::i8_dot<N>(acc, ones, quads);
  } else if constexpr (arch::kHasBytePairs<N>) {
    return arch::add_pairs<N>(acc, arch::byte_pairs<N>(ones, quads));
  } else {
    return arch::i8_dot_signed<N>(acc, quads, ones);
  }
}

// Vectors of `lanes` quads of a tile after which one begins with the first row again.
constexpr int vectors_of_rows(int lanes, int rows) {
  const int shared = rows & -rows;
  return shared < lanes ? rows / shared : rows / lanes;
}
// The most lanes up to `lanes` such that a block is whole ones of so many vectors.
constexpr int lanes_of_rows(int lanes, int rows, std::int64_t block) {
  while (block / 4 * rows % (vectors_of_rows(lanes, rows) * lanes) != 0) lanes /= 2;
  return lanes;
}

// `factor` times the sums of a block's codes in each row of a tile.
template <int L, int MR, std::int64_t Block>
STRATA_INLINE void sums_of_rows(const std::int8_t* a, int factor, std::int32_t* sums) {
  constexpr int N = lanes_of_rows(L, MR, Block);
  constexpr int kVectors = vectors_of_rows(N, MR);
  Vec<std::int32_t, N> vectors[kVectors] = {};
  const std::int8_t* const end = a + Block * MR;
  STRATA_KEEP_ROLLED
  while (a < end) {
    STRATA_UNROLL
    for (int v = 0; v < kVectors; ++v, a += 4 * N) {
      Vec<std::int32_t, N> quads;
      __builtin_memcpy(&quads, a, sizeof(quads));
      vectors[v] = add_quads<N>(vectors[v], quads);
    }
  }
  std::int32_t lanes[kVectors * N];
  STRATA_UNROLL
  for (int v = 0; v < kVectors; ++v) store_raw(Lanes<N>{}, lanes + v * N, vectors[v] * factor);
  STRATA_UNROLL
  for (int r = 0; r < MR; ++r) {
    sums[r] = lanes[r];
    STRATA_UNROLL
    for (int i = r + MR; i < kVectors * N; i += MR) sums[r] += lanes[i];
  }
}

// Codes of k in `depth` of NV panels as bytes in B<L@n,4@k>.
template <int L, int NV, class Panels>
STRATA_INLINE void decode_codes(const Panels& panels, std::int64_t panel, Range depth, std::int8_t* out) {
  for (int v = 0; v < NV; ++v) {
    const auto* group = panels.group(panel + v, depth.begin);
    for (std::int64_t i = 0; i < depth.size(); i += 8, group += Panels::kGroupBytes, out += 8 * L) {
      const Vec<std::int32_t, L> quads[2] = {panels.template quads<0>(group), panels.template quads<1>(group)};
      __builtin_memcpy(out, quads, sizeof(quads));
    }
  }
}

// A tile of quantised rows where a block of k begins: codes, their scales and what each sum of a block starts at, the
// latter two [block][MR].
struct QuadRows {
  const std::int8_t* codes;
  const float* scales;
  const std::int32_t* starts;
};

// What a tile fetches of the next group of panels: `lines` cache lines of each.
struct PanelsAhead {
  const char* data = nullptr;
  std::int64_t panel = 0;
  std::int64_t lines = 0;
};

// Blocks [begin, end) of a row tile times NV panels of codes, data at the first of them.
template <QuadForm Form, int L, int MR, int NV, int Rows, std::int64_t Block, CodeBounds Bounds, Stream How,
          class Panels, class Codes, class Scales>
STRATA_NOINLINE void scaled_quads_tile(QuadRows a, const Panels& panels, const Codes* group, Scales scales,
                                       std::int64_t panel, Range range, std::int64_t blocks, const GemmTarget& out,
                                       std::int64_t row, PanelsAhead ahead) {
  const std::int64_t lines = div_up(ahead.lines, range.size());  // in every block
  Tile<Rows, NV, L> tile;
  tile.clear();
  for (std::int64_t block = range.begin; block < range.end; ++block) {
    STRATA_KEEP_ROLLED
    for (std::int64_t i = 0; i < lines; ++i, ahead.data += 64) {
      STRATA_UNROLL
      for (int v = 0; v < NV; ++v) __builtin_prefetch(ahead.data + v * ahead.panel, 0, 2);
    }
    Vec<std::int32_t, L> sums[Rows][NV] = {};
    if constexpr (Form == QuadForm::kUnsigned && Bounds.low != 0) {
      STRATA_UNROLL
      for (int r = 0; r < Rows; ++r) {
        STRATA_UNROLL
        for (int v = 0; v < NV; ++v) sums[r][v] += a.starts[r];
      }
      a.starts += MR;
    }
    add_block<Form, Bounds, Block, How, MR, L>(sums, a.codes, panels, group);
    STRATA_UNROLL
    for (int v = 0; v < NV; ++v) {
      const Vec<float, L> scale = scales.template at<L>(panel + v, block, blocks);
      STRATA_UNROLL
      for (int r = 0; r < Rows; ++r) tile.acc[r][v] += convert<float, L>(sums[r][v]) * (a.scales[r] * scale);
    }
    a.codes += Block * MR;
    a.scales += MR;
    group += Block / 8 * Panels::kGroupBytes;
  }
  if (out.adds) {
    store_tile(tile, out.c, out.ldc, row, out.m - row, panel * L, out.n - panel * L, Accumulate{});
  } else {
    store_tile(tile, out.c, out.ldc, row, out.m - row, panel * L, out.n - panel * L, Overwrite{});
  }
}

// One row tile at most, as gemm_block_scaled_quads has it: reads the codes once, How.ahead bytes ahead, and decodes
// them in registers.
//
// GB/s as above, 2 | 4 | 8 rows: bytes 4 x 1 11.9 | 11.3 |, 8 x 1 | | 7.1, 4 x 2 10.3 | 8.1; codes from -8 to 7 in 4
// bits 4 x 1 11.2 | 7.9 |, 8 x 1 | | 3.9, where gemm_block_scaled_quads has 6.9 | 7.6 | 5.0.
template <int L, int MR, int NV, std::int64_t Block, Stream How, CodeBounds Bounds = CodeBounds{}, class Codes,
          class Scales>
STRATA_NOINLINE void gemm_few_scaled_quads(const std::int8_t* a, const float* row_scales, const Codes* b, Scales scales,
                                           const GemmTarget& out, std::int64_t k, std::int64_t panel_begin,
                                           std::int64_t panel_end) {
  static_assert(Block % 8 == 0);
  const CodePanels<Codes, L> panels(b, k);
  const std::int64_t blocks = k / Block;
  const QuadRows rows{a, row_scales, nullptr};
  for_each_group<NV>(panel_begin, panel_end, [&]<int Count>(Lanes<Count>, std::int64_t p) {
    dispatch_height<MR>(out.m, [&]<int Rows>(Lanes<Rows>) {
      scaled_quads_tile<few_rows_form<L>(), L, MR, Count, Rows, Block, Bounds, How>(
          rows, panels, panels.group(p, 0), scales, p, {0, blocks}, blocks, out, 0, {});
    });
  });
}

// Words of scratch for so many rows, whole tiles, and values of k.
constexpr std::int64_t scaled_quads_scratch(std::int64_t lanes, std::int64_t panels, std::int64_t block,
                                            std::int64_t rows, std::int64_t depth) {
  return rows * (depth / block) + panels * lanes * depth / 4;
}

// As gemm_block on codes of rows, a: A<MR@m,4@k>, and their scales, T<MR@m> of [m, k / Block]: [ceil(m / MR)][k /
// Block] [MR]. Codes in 4 bits are decoded first, a group of panels at a time. Blocks of k begin and end at multiples
// of Block. scratch: scaled_quads_scratch words.
//
// Gop/s on an EPYC (Zen 3, beside other work, best of 31), from cache, K 1024; the unit 153, f32 6 x 2 76 of 98. Bytes,
// blocks of 32: 6 x 2 116, 4 x 2 113, 6 x 1 113, 8 x 1 112, 12 x 1 110; blocks of 128: 4 x 2 127, 8 x 1 121. Codes from
// -8 to 7, blocks of 32: 6 x 2 193, 4 x 2 185, 8 x 1 180, 12 x 1 177, 6 x 1 171, 4 x 3 165; of 128: 4 x 2 218. Decoded
// in every tile, and rows summed there: 4 x 2 106.
template <int L, int MR, int NV, std::int64_t Block, CodeBounds Bounds = CodeBounds{}, class Codes, class Scales>
STRATA_NOINLINE void gemm_block_scaled_quads(const std::int8_t* a, const float* row_scales, const Codes* b,
                                             Scales scales, const GemmTarget& out, std::int64_t k, Range rows,
                                             Range depth, std::int64_t panel_begin, std::int64_t panel_end,
                                             std::int32_t* scratch) {
  static_assert(Block % 8 == 0);
  constexpr QuadForm kForm = quad_form<L, Bounds>();
  constexpr int kLow = kForm == QuadForm::kUnsigned ? Bounds.low : 0;
  const CodePanels<Codes, L, kLow> panels(b, k);
  const std::int64_t blocks = k / Block, tiles = div_up(rows.size(), MR);
  const Range range{depth.begin / Block, depth.end / Block};
  const auto rows_of = [&](std::int64_t t) {
    const std::int64_t tile = rows.begin / MR + t;
    return QuadRows{a + (tile * k + depth.begin) * MR, row_scales + (tile * blocks + range.begin) * MR,
                    scratch + t * range.size() * MR};
  };
  auto* decoded = reinterpret_cast<std::int8_t*>(scratch);
  if constexpr (kLow != 0) {
    for (std::int64_t t = 0; t < tiles; ++t) {
      const std::int8_t* codes = rows_of(t).codes;
      for (std::int64_t i = 0; i < range.size(); ++i, codes += Block * MR, decoded += 4 * MR) {
        sums_of_rows<L, MR, Block>(codes, kLow, reinterpret_cast<std::int32_t*>(decoded));
      }
    }
  }
  const GemmTarget target = out.of(depth);
  for_each_group<NV>(panel_begin, panel_end, [&]<int Count>(Lanes<Count>, std::int64_t p) {
    const std::int64_t lines = div_up(div_up(depth.size() / 8 * panels.kGroupBytes, 64), tiles);
    const auto* next = reinterpret_cast<const char*>(panels.group(p + Count, depth.begin));
    const auto multiply = [&](const auto& codes, const std::int8_t* group) STRATA_INLINE_LAMBDA {
      for (std::int64_t t = 0; t < tiles; ++t, next += lines * 64) {
        const std::int64_t row = rows.begin + t * MR;
        const PanelsAhead ahead{next, panels.panel_bytes(), p + Count < panel_end ? lines : 0};
        dispatch_height<MR>(rows.end - row, [&]<int Rows>(Lanes<Rows>) {
          scaled_quads_tile<kForm, L, MR, Count, Rows, Block, Bounds, Stream{}>(rows_of(t), codes, group, scales, p,
                                                                                range, blocks, target, row, ahead);
        });
      }
    };
    if constexpr (std::is_same_v<Codes, std::int8_t>) {
      multiply(panels, panels.group(p, depth.begin));
    } else {
      decode_codes<L, Count>(panels, p, depth, decoded);
      multiply(CodePanels<std::int8_t, L>(decoded, depth.size()), decoded);
    }
  });
}

}  // namespace strata::tensor
