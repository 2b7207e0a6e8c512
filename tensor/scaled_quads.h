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

// How the products of a row's codes and weights are summed.
enum class QuadForm {
  kSigned,    // by an instruction for signed bytes, or portably
  kUnsigned,  // weights minus the least code; the sums start with what that takes off
  kSigns,     // weights without their signs, which the row takes
};
// Of weights that are above the least one by `Most` at most.
template <int L, int Most>
constexpr QuadForm quad_form() {
  if (arch::kHasUnsignedDot<L>) return QuadForm::kUnsigned;
  // Pairs of unsigned weights up to 128 fit 16 bits.
  if (arch::kHasBytePairs<L>) return Most <= 128 ? QuadForm::kUnsigned : QuadForm::kSigns;
  return QuadForm::kSigned;
}
template <int L, class Panels>
inline constexpr QuadForm kFormOf = quad_form<L, Panels::kMost>();

// Whether sums are made of pairs of bytes in 16 bits.
template <int L>
inline constexpr bool kSumsPairs = arch::kHasBytePairs<L> && !arch::kHasUnsignedDot<L>;

// Values of k, a power of two of at least 4 that divides `limit`, whose sums of pairs fit 16 bits.
template <QuadForm Form, int Most>
constexpr int summable_values(int limit) {
  constexpr int kLargest = Form == QuadForm::kUnsigned ? Most : 128;
  int values = 4;
  while (limit % (2 * values) == 0 && values / 2 * 2 * 127 * kLargest <= 32767) values *= 2;
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

// Quads V of a group, as the form has them.
template <QuadForm Form, int V, class Panels, class Codes>
STRATA_INLINE auto weights_of(const Panels& panels, const Codes* group) {
  if constexpr (Form == QuadForm::kUnsigned) {
    return panels.template distances<V>(group);
  } else {
    return panels.template quads<V>(group);
  }
}

// Products by value in [0, Rows) x [0, NV): f(sum, x, w) for quads V of a group. a: in the tile, where the group
// begins.
template <QuadForm Form, int V, int MR, int L, class Sum, int Rows, int NV, class Panels, class Codes, class F>
STRATA_INLINE void each_product(Sum (&sums)[Rows][NV], const std::int8_t* a, const Panels& panels, const Codes* group,
                                F&& f) {
  Vec<std::int32_t, L> w[NV];
  STRATA_UNROLL
  for (int v = 0; v < NV; ++v) w[v] = weights_of<Form, V>(panels, group + v * panels.panel_bytes());
  STRATA_UNROLL
  for (int r = 0; r < Rows; ++r) {
    const Vec<std::int32_t, L> x = splat_quad<L>(a + V * 4 * MR + r * 4);
    STRATA_UNROLL
    for (int v = 0; v < NV; ++v) f(sums[r][v], x, w[v]);
  }
}

// sums += pairs, which are zeros again.
template <int L, int Rows, int NV>
STRATA_INLINE void move_pairs(Vec<short, 2 * L> (&pairs)[Rows][NV], Vec<std::int32_t, L> (&sums)[Rows][NV]) {
  STRATA_UNROLL
  for (int r = 0; r < Rows; ++r) {
    STRATA_UNROLL
    for (int v = 0; v < NV; ++v) {
      sums[r][v] = arch::add_pairs<L>(sums[r][v], pairs[r][v]);
      pairs[r][v] = Vec<short, 2 * L>{};
    }
  }
}

// sums += the products of the first Rows rows of a tile and NV panels over a block.
template <QuadForm Form, std::int64_t Block, Stream How, int MR, int L, int Rows, int NV, class Panels, class Codes>
STRATA_INLINE void add_block(Vec<std::int32_t, L> (&sums)[Rows][NV], const std::int8_t* a, const Panels& panels,
                             const Codes* group) {
  using Quads = Vec<std::int32_t, L>;
  constexpr int kDepth = static_cast<int>(Panels::kDepth), kVectors = kDepth / 4;
  static_assert(Block % kDepth == 0);
  const auto fetch = [&](const Codes* from) STRATA_INLINE_LAMBDA {
    STRATA_UNROLL
    for (int v = 0; v < NV; ++v) fetch_ahead<How, Panels::kGroupBytes>(from + v * panels.panel_bytes());
  };
  constexpr int kValues = kSumsPairs<L> ? summable_values<Form, Panels::kMost>(Block) : 4;
  if constexpr (kValues > 4) {
    using Pairs = Vec<short, 2 * L>;
    Pairs pairs[Rows][NV] = {};
    const auto add = [](Pairs& sum, Quads x, Quads w) STRATA_INLINE_LAMBDA { sum += sums_of_pairs<Form, L>(x, w); };
    constexpr int kRun = kValues > kDepth ? kValues : kDepth;
    STRATA_KEEP_ROLLED
    for (std::int64_t first = 0; first < Block; first += kRun) {
      STRATA_KEEP_ROLLED
      for (int i = 0; i < kRun; i += kDepth, a += kDepth * MR, group += Panels::kGroupBytes) {
        fetch(group);
        for_each_number<kVectors>([&]<int V>(Lanes<V>) STRATA_INLINE_LAMBDA {
          each_product<Form, V, MR, L>(pairs, a, panels, group, add);
          if constexpr (kValues < kDepth && (V + 1) % (kValues / 4) == 0) move_pairs<L>(pairs, sums);
        });
      }
      if constexpr (kValues >= kDepth) move_pairs<L>(pairs, sums);
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
    for (std::int64_t i = 0; i < Block; i += kDepth, a += kDepth * MR, group += Panels::kGroupBytes) {
      fetch(group);
      for_each_number<kVectors>(
          [&]<int V>(Lanes<V>) STRATA_INLINE_LAMBDA { each_product<Form, V, MR, L>(sums, a, panels, group, add); });
    }
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

// What the sums of the blocks `range` of a tile's rows start at, [block][MR]. a: where the first block begins.
template <QuadForm Form, int L, int MR, std::int64_t Block, class Panels>
STRATA_INLINE void start_rows(const std::int8_t* a, Range range, const Panels& panels, std::int32_t* starts) {
  if constexpr (Form == QuadForm::kUnsigned) {
    for (std::int64_t i = 0; i < range.size(); ++i) {
      sums_of_rows<L, MR, Block>(a + i * Block * MR, panels.low(), starts + i * MR);
    }
  }
}

// One row of codes [k] with their scales [k / Block] times the panels [panel_begin, panel_end): c[n] f32. How: as
// Stream has it, but for the panels side by side. scratch: scaled_quads_starts words.
template <int L, std::int64_t Block, Stream How, class Codes, class Scales, class Store = Overwrite>
STRATA_NOINLINE void gemv_scaled_quads(const std::int8_t* a, const float* row_scales, const Codes* b, Scales scales,
                                       std::int64_t k, std::int64_t n, float* c, std::int64_t panel_begin,
                                       std::int64_t panel_end, std::int32_t* scratch, const Store& write = {}) {
  using Panels = CodePanels<Codes, L>;
  constexpr QuadForm kForm = kFormOf<L, Panels>;
  const Panels panels(b, k);
  const std::int64_t blocks = k / Block;
  start_rows<kForm, L, 1, Block>(a, {0, blocks}, panels, scratch);
  for (std::int64_t p = panel_begin; p < panel_end; ++p) {
    Tile<1, 1, L> total;
    total.clear();
    for (std::int64_t block = 0; block < blocks; ++block) {
      Vec<std::int32_t, L> sums[1][1] = {};
      if constexpr (kForm == QuadForm::kUnsigned) sums[0][0] += scratch[block];
      add_block<kForm, Block, How, 1, L>(sums, a + block * Block, panels, panels.group(p, block * Block));
      const Vec<float, L> scale = row_scales[block] * scales.template at<L>(p, block, blocks);
      total.acc[0][0] += convert<float, L>(sums[0][0]) * scale;
    }
    store_tile(total, c, n, 0, 1, p * L, n - p * L, write);
  }
}

// Codes of k in `depth` of NV panels as bytes in B<L@n,4@k>, as the form has them.
template <QuadForm Form, int L, int NV, class Panels>
STRATA_INLINE void decode_codes(const Panels& panels, std::int64_t panel, Range depth, std::int8_t* out) {
  constexpr std::int64_t kDepth = Panels::kDepth;
  for (int v = 0; v < NV; ++v) {
    const auto* group = panels.group(panel + v, depth.begin);
    for (std::int64_t i = 0; i < depth.size(); i += kDepth, group += Panels::kGroupBytes, out += kDepth * L) {
      for_each_number<kDepth / 4>([&]<int V>(Lanes<V>) STRATA_INLINE_LAMBDA {
        const Vec<std::int32_t, L> quads = weights_of<Form, V>(panels, group);
        __builtin_memcpy(out + V * 4 * L, &quads, sizeof(quads));
      });
    }
  }
}

// What they are decoded to: bytes that are what the form takes.
template <class Panels, int L>
class DecodedPanels : public CodePanels<std::int8_t, L> {
 public:
  static constexpr int kMost = Panels::kMost;
  using CodePanels<std::int8_t, L>::CodePanels;
  template <int V>
  STRATA_INLINE Vec<std::int32_t, L> distances(const std::int8_t* group) const {
    return this->template quads<V>(group);
  }
};

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
template <QuadForm Form, int L, int MR, int NV, int Rows, std::int64_t Block, Stream How, class Panels, class Codes,
          class Scales>
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
    if constexpr (Form == QuadForm::kUnsigned) {
      STRATA_UNROLL
      for (int r = 0; r < Rows; ++r) {
        STRATA_UNROLL
        for (int v = 0; v < NV; ++v) sums[r][v] += a.starts[r];
      }
      a.starts += MR;
    }
    add_block<Form, Block, How, MR, L>(sums, a.codes, panels, group);
    STRATA_UNROLL
    for (int v = 0; v < NV; ++v) {
      const Vec<float, L> scale = scales.template at<L>(panel + v, block, blocks);
      STRATA_UNROLL
      for (int r = 0; r < Rows; ++r) tile.acc[r][v] += convert<float, L>(sums[r][v]) * (a.scales[r] * scale);
    }
    a.codes += Block * MR;
    a.scales += MR;
    group += Block / Panels::kDepth * Panels::kGroupBytes;
  }
  if (out.adds) {
    store_tile(tile, out.c, out.ldc, row, out.m - row, panel * L, out.n - panel * L, Accumulate{});
  } else {
    store_tile(tile, out.c, out.ldc, row, out.m - row, panel * L, out.n - panel * L, Overwrite{});
  }
}

// One row tile at most, as gemm_block_scaled_quads has it: reads the codes once, How.ahead bytes ahead, and decodes
// them in registers. scratch: scaled_quads_starts words.
//
// GB/s with one thread of an EPYC (Zen 3, beside other work), K 1024, 2 | 4 | 8 rows: bytes 4 x 1 11.9 | 11.3 |, 8 x 1
// | | 7.1, 4 x 2 10.3 | 8.1; codes from -8 to 7 in 4 bits 4 x 1 11.2 | 7.9 |, 8 x 1 | | 3.9, where
// gemm_block_scaled_quads has 6.9 | 7.6 | 5.0.
template <int L, int MR, int NV, std::int64_t Block, Stream How, class Codes, class Scales>
STRATA_NOINLINE void gemm_few_scaled_quads(const std::int8_t* a, const float* row_scales, const Codes* b, Scales scales,
                                           const GemmTarget& out, std::int64_t k, std::int64_t panel_begin,
                                           std::int64_t panel_end, std::int32_t* scratch) {
  using Panels = CodePanels<Codes, L>;
  constexpr QuadForm kForm = kFormOf<L, Panels>;
  const Panels panels(b, k);
  const std::int64_t blocks = k / Block;
  start_rows<kForm, L, MR, Block>(a, {0, blocks}, panels, scratch);
  const QuadRows rows{a, row_scales, scratch};
  for_each_group<NV>(panel_begin, panel_end, [&]<int Count>(Lanes<Count>, std::int64_t p) {
    dispatch_height<MR>(out.m, [&]<int Rows>(Lanes<Rows>) {
      scaled_quads_tile<kForm, L, MR, Count, Rows, Block, How>(rows, panels, panels.group(p, 0), scales, p, {0, blocks},
                                                               blocks, out, 0, {});
    });
  });
}

// Words of scratch for so many rows, whole tiles, and values of k: what the sums of blocks start at, and behind that
// decoded panels.
constexpr std::int64_t scaled_quads_starts(std::int64_t block, std::int64_t rows, std::int64_t depth) {
  return rows * (depth / block);
}
constexpr std::int64_t scaled_quads_scratch(std::int64_t lanes, std::int64_t panels, std::int64_t block,
                                            std::int64_t rows, std::int64_t depth) {
  return scaled_quads_starts(block, rows, depth) + panels * lanes * depth / 4;
}

// As gemm_block on codes of rows, a: A<MR@m,4@k>, and their scales, T<MR@m> of [m, k / Block]: [ceil(m / MR)][k /
// Block] [MR]. Codes in fewer bits are decoded first, a group of panels at a time. Blocks of k begin and end at
// multiples of Block. scratch: scaled_quads_scratch words.
//
// Gop/s on an EPYC (Zen 3, beside other work, best of 31), from cache, K 1024; the unit 153, f32 6 x 2 76 of 98. Bytes,
// blocks of 32: 6 x 2 116, 4 x 2 113, 6 x 1 113, 8 x 1 112, 12 x 1 110; blocks of 128: 4 x 2 127, 8 x 1 121. Codes from
// -8 to 7, blocks of 32: 6 x 2 193, 4 x 2 185, 8 x 1 180, 12 x 1 177, 6 x 1 171, 4 x 3 165; of 128: 4 x 2 218. Decoded
// in every tile, and rows summed there: 4 x 2 106.
template <int L, int MR, int NV, std::int64_t Block, class Codes, class Scales>
STRATA_NOINLINE void gemm_block_scaled_quads(const std::int8_t* a, const float* row_scales, const Codes* b,
                                             Scales scales, const GemmTarget& out, std::int64_t k, Range rows,
                                             Range depth, std::int64_t panel_begin, std::int64_t panel_end,
                                             std::int32_t* scratch) {
  using Panels = CodePanels<Codes, L>;
  constexpr QuadForm kForm = kFormOf<L, Panels>;
  const Panels panels(b, k);
  const std::int64_t blocks = k / Block, tiles = div_up(rows.size(), MR);
  const Range range{depth.begin / Block, depth.end / Block};
  const auto rows_of = [&](std::int64_t t) {
    const std::int64_t tile = rows.begin / MR + t;
    return QuadRows{a + (tile * k + depth.begin) * MR, row_scales + (tile * blocks + range.begin) * MR,
                    scratch + t * range.size() * MR};
  };
  for (std::int64_t t = 0; t < tiles; ++t) {
    start_rows<kForm, L, MR, Block>(rows_of(t).codes, range, panels, scratch + t * range.size() * MR);
  }
  auto* const decoded = reinterpret_cast<std::int8_t*>(scratch + tiles * range.size() * MR);
  const GemmTarget target = out.of(depth);
  for_each_group<NV>(panel_begin, panel_end, [&]<int Count>(Lanes<Count>, std::int64_t p) {
    const std::int64_t bytes = depth.size() / Panels::kDepth * Panels::kGroupBytes;
    const std::int64_t lines = div_up(div_up(bytes, 64), tiles);
    const auto* next = reinterpret_cast<const char*>(panels.group(p + Count, depth.begin));
    const auto multiply = [&](const auto& codes, const auto* group) STRATA_INLINE_LAMBDA {
      for (std::int64_t t = 0; t < tiles; ++t, next += lines * 64) {
        const std::int64_t row = rows.begin + t * MR;
        const PanelsAhead ahead{next, panels.panel_bytes(), p + Count < panel_end ? lines : 0};
        dispatch_height<MR>(rows.end - row, [&]<int Rows>(Lanes<Rows>) {
          scaled_quads_tile<kForm, L, MR, Count, Rows, Block, Stream{}>(rows_of(t), codes, group, scales, p, range,
                                                                        blocks, target, row, ahead);
        });
      }
    };
    if constexpr (std::is_same_v<Codes, std::int8_t>) {
      multiply(panels, panels.group(p, depth.begin));
    } else {
      decode_codes<kForm, L, Count>(panels, p, depth, decoded);
      multiply(DecodedPanels<Panels, L>(decoded, depth.size()), decoded);
    }
  });
}

}  // namespace strata::tensor
