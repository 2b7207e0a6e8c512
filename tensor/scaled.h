// SPDX-License-Identifier: Apache-2.0
// Matmuls by quantised weights: W[n, k] = scale[n, k / Block] * code[n, k], rows in f32. k is a multiple of Block.
//
// Codes are bytes in B<L@n,4@k>, or the same in fewer bits (tensor/encoding/codes.h), of which a block is whole groups.
// Scales are in panels of L rows: [ceil(n / L)][k / Block][L].
#pragma once

#include "tensor/encoded.h"
#include "tensor/matmul.h"

namespace strata::tensor {

// Scales of f32, f16 or bf16.
template <class T>
struct BlockScales {
  const T* scales;

  // Of block `block` of the `blocks` that a panel has.
  template <int L>
  STRATA_INLINE Vec<float, L> at(std::int64_t panel, std::int64_t block, std::int64_t blocks) const {
    return load(Lanes<L>{}, scales + (panel * blocks + block) * L);
  }
};

// Scales that are codes themselves: each times a scale of `Ratio` blocks, [ceil(n / L)][k / Block / Ratio][L].
template <class C, class T, int Ratio>
struct NestedScales {
  const C* codes;
  const T* scales;

  template <int L>
  STRATA_INLINE Vec<float, L> at(std::int64_t panel, std::int64_t block, std::int64_t blocks) const {
    const Vec<float, L> code = load(Lanes<L>{}, codes + (panel * blocks + block) * L);
    return code * load(Lanes<L>{}, scales + (panel * (blocks / Ratio) + block / Ratio) * L);
  }
};

// Panels of codes, read in groups of kDepth values of k. Vectors of four are the codes, or their distances, unsigned:
// how much each is above low(), from 0 to kMost.
template <class Codes, int L>
class CodePanels;

template <int L>
class CodePanels<std::int8_t, L> {
 public:
  using Quads = Vec<std::int32_t, L>;
  static constexpr std::int64_t kDepth = 8;
  static constexpr std::int64_t kGroupBytes = kDepth * L;
  static constexpr int kMost = 255;

  CodePanels(const std::int8_t* data, std::int64_t k) : data_(data), panel_bytes_(k * L) {}

  int low() const { return -128; }
  std::int64_t panel_bytes() const { return panel_bytes_; }
  const std::int8_t* group(std::int64_t panel, std::int64_t first) const {
    return data_ + panel * panel_bytes_ + first * L;
  }
  // Values 4 V to 4 V + 3 of k of a group.
  template <int V>
  STRATA_INLINE Quads quads(const std::int8_t* group) const {
    Quads codes;
    __builtin_memcpy(&codes, group + V * 4 * L, sizeof(codes));
    return codes;
  }
  template <int V>
  STRATA_INLINE Quads distances(const std::int8_t* group) const {
    return quads<V>(group) ^ static_cast<std::int32_t>(0x80808080u);
  }

 private:
  const std::int8_t* data_;
  std::int64_t panel_bytes_;
};

template <class E, int L>
class CodePanels<Encoded<E>, L> {
 public:
  using Quads = Vec<std::int32_t, L>;
  static constexpr std::int64_t kDepth = E::kDepth;
  static constexpr std::int64_t kGroupBytes = E::bytes(L);
  static constexpr int kMost = E::kMost;

  CodePanels(const Encoded<E>* data, std::int64_t k) : matrix_(data, k), decoder_(matrix_.header()) {}

  int low() const { return decoder_.low(); }
  std::int64_t panel_bytes() const { return matrix_.panel_bytes(); }
  const Encoded<E>* group(std::int64_t panel, std::int64_t first) const { return matrix_.group(panel, first); }
  template <int V>
  STRATA_INLINE Quads quads(const Encoded<E>* group) const {
    return decoder_.template quads<V>(group);
  }
  template <int V>
  STRATA_INLINE Quads distances(const Encoded<E>* group) const {
    return decoder_.template distances<V>(group);
  }

 private:
  EncodedMatrix<E, L> matrix_;
  typename E::template Decoder<L> decoder_;
};

// f(Lanes<V>{}) for V = 0, 1, ... below Count.
template <int Count, class F>
STRATA_INLINE void for_each_number(F&& f) {
  [&]<int... V>(std::integer_sequence<int, V...>)
      STRATA_INLINE_LAMBDA { (f(Lanes<V>{}), ...); }(std::make_integer_sequence<int, Count>{});
}

// Byte `Byte` of every quad, signed, as floats.
template <int Byte, int L>
STRATA_INLINE Vec<float, L> byte_of_quads(Vec<std::int32_t, L> quads) {
  return convert<float, L>((quads << (24 - 8 * Byte)) >> 24);
}

// f(Lanes<j>{}, codes) for the values of k of a group, as floats.
template <int L, class Panels, class Codes, class F>
STRATA_INLINE void each_code(const Panels& panels, const Codes* group, F&& f) {
  for_each_number<Panels::kDepth / 4>([&]<int V>(Lanes<V>) STRATA_INLINE_LAMBDA {
    const Vec<std::int32_t, L> quads = panels.template quads<V>(group);
    f(Lanes<4 * V>{}, byte_of_quads<0, L>(quads));
    f(Lanes<4 * V + 1>{}, byte_of_quads<1, L>(quads));
    f(Lanes<4 * V + 2>{}, byte_of_quads<2, L>(quads));
    f(Lanes<4 * V + 3>{}, byte_of_quads<3, L>(quads));
  });
}

// Fetches the group of codes that lies How.ahead bytes behind this one, once for every line.
template <Stream How, std::int64_t GroupBytes, class Codes>
STRATA_INLINE void fetch_ahead(const Codes* group) {
  if constexpr (How.ahead != 0) {
    STRATA_UNROLL
    for (std::int64_t line = 0; line < GroupBytes; line += 64) {
      __builtin_prefetch(reinterpret_cast<const char*>(group) + line + How.ahead, 0, How.locality);
    }
  }
}

// One row of f32, [k], times the panels [panel_begin, panel_end): c[n] f32. The codes of a block meet the row as floats
// and their sum the scale. How: as Stream has it, but for the panels side by side.
template <int L, std::int64_t Block, Stream How, class Codes, class Scales, class Store = Overwrite>
STRATA_NOINLINE void gemv_scaled(const float* a, const Codes* b, Scales scales, std::int64_t k, std::int64_t n,
                                 float* c, std::int64_t panel_begin, std::int64_t panel_end, const Store& write = {}) {
  constexpr int kChains = 4;  // hide the latency of the multiply-add
  using Panels = CodePanels<Codes, L>;
  constexpr std::int64_t kDepth = Panels::kDepth;
  static_assert(Block % kDepth == 0);
  const Panels panels(b, k);
  const std::int64_t blocks = k / Block;
  for (std::int64_t p = panel_begin; p < panel_end; ++p) {
    const Codes* group = panels.group(p, 0);
    const float* x = a;
    Tile<1, 1, L> total;
    total.clear();
    for (std::int64_t block = 0; block < blocks; ++block) {
      Vec<float, L> sums[kChains] = {};
      for (std::int64_t i = 0; i < Block; i += kDepth, x += kDepth, group += Panels::kGroupBytes) {
        fetch_ahead<How, Panels::kGroupBytes>(group);
        each_code<L>(panels, group, [&]<int J>(Lanes<J>, Vec<float, L> codes) STRATA_INLINE_LAMBDA {
          sums[J % kChains] += splat(Lanes<L>{}, x[J]) * codes;
        });
      }
      total.acc[0][0] += ((sums[0] + sums[1]) + (sums[2] + sums[3])) * scales.template at<L>(p, block, blocks);
    }
    store_tile(total, c, n, 0, 1, p * L, n - p * L, write);
  }
}

// `depth` values of k of NV panels as f32 in B<L@n>, from the beginning of a block on.
template <int L, int NV, std::int64_t Block, class Panels, class Scales>
STRATA_INLINE void dequantise_panels(const Panels& panels, Scales scales, std::int64_t panel, Range depth,
                                     std::int64_t blocks, float* out) {
  constexpr std::int64_t kDepth = Panels::kDepth;
  static_assert(Block % kDepth == 0);
  for (int v = 0; v < NV; ++v) {
    auto* group = panels.group(panel + v, depth.begin);
    for (std::int64_t block = depth.begin / Block; block * Block < depth.end; ++block) {
      const Vec<float, L> scale = scales.template at<L>(panel + v, block, blocks);
      for (std::int64_t i = 0; i < Block; i += kDepth, group += Panels::kGroupBytes, out += kDepth * L) {
        each_code<L>(panels, group, [&]<int J>(Lanes<J> value, Vec<float, L> codes) STRATA_INLINE_LAMBDA {
          store(Lanes<L>{}, out + decltype(value)::count * L, codes * scale);
        });
      }
    }
  }
}

// As gemm_block on A<MR@m> of f32, each group of panels dequantised first. Blocks of k begin and end at multiples of
// Block. scratch: widened_elements(L, NV, depth) floats.
template <int L, int MR, int NV, std::int64_t Block, class Codes, class Scales>
STRATA_NOINLINE void gemm_block_scaled(const float* a, const Codes* b, Scales scales, const GemmTarget& out,
                                       std::int64_t k, Range rows, Range depth, std::int64_t panel_begin,
                                       std::int64_t panel_end, float* scratch) {
  const CodePanels<Codes, L> panels(b, k);
  const GemmRows<float> block = block_of_rows<MR, 1>(a, k, rows, depth);
  const GemmTarget target = out.of(depth);
  for_each_group<NV>(panel_begin, panel_end, [&]<int Count>(Lanes<Count>, std::int64_t p) {
    dequantise_panels<L, Count, Block>(panels, scales, p, depth, k / Block, scratch);
    const TileB<float> lanes{scratch, depth.size() * L, L};
    const TileB<Codes> next{p + Count < panel_end ? panels.group(p + Count, depth.begin) : nullptr,
                            panels.panel_bytes(), 0};
    gemm_group<L, MR, Count, BLayout::kLanes, Stream{}>(block, lanes, next, target, p * L);
  });
}

}  // namespace strata::tensor
