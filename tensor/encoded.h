// SPDX-License-Identifier: Apache-2.0
// Matmul and gather on weights in an encoding (tensor/encoding.h), decoded on the way.
#pragma once

#include <type_traits>

#include "tensor/encoding.h"
#include "tensor/matmul.h"

namespace strata::tensor {

// A matrix [n, k] in the encoding E, in panels of L rows.
template <class E, int L>
class EncodedMatrix {
 public:
  EncodedMatrix(const Encoded<E>* data, std::int64_t k)
      : EncodedMatrix(*reinterpret_cast<const EncodedHeader*>(data), data + sizeof(EncodedHeader), k) {}
  EncodedMatrix(const EncodedHeader& header, const Encoded<E>* panels, std::int64_t k)
      : header_(header), panels_(panels), panel_bytes_(encoded_panel_bytes<E>(L, k)) {}

  const EncodedHeader& header() const { return header_; }
  std::int64_t panel_bytes() const { return panel_bytes_; }
  const Encoded<E>* group(std::int64_t panel, std::int64_t first) const {
    return panels_ + panel * panel_bytes_ + first / E::kDepth * E::bytes(L);
  }

  // f(k, lane, element) for the exceptions of a panel with k in [first, last).
  template <class F>
  STRATA_INLINE void for_each_exception(std::int64_t panel, std::int64_t first, std::int64_t last, F&& f) const {
    if (header_.exceptions == 0) return;
    const char* const lists = reinterpret_cast<const char*>(&header_) + header_.exceptions;
    const auto* const begins = reinterpret_cast<const std::uint32_t*>(lists);
    const auto* const all = reinterpret_cast<const EncodedException*>(lists + exceptions_bytes(header_.panels, 0));
    for (std::uint32_t i = begins[panel]; i < begins[panel + 1]; ++i) {
      const std::int64_t at = all[i].position / L;
      if (at >= first && at < last) f(at, static_cast<int>(all[i].position % L), all[i].element);
    }
  }

 private:
  const EncodedHeader& header_;
  const Encoded<E>* panels_;
  std::int64_t panel_bytes_;
};

// The two values of k that a vector of words has, as floats.
template <int L, class E>
STRATA_INLINE void widen(const Encoded<E>*, Halves<L> words, Vec<float, L> (&lanes)[2]) {
  if constexpr (E::kPairs) {
    static_assert(std::is_same_v<typename E::Number, bf16>, "pairs are of bf16");
    lanes[0] = even_of_pairs<L>(bit_cast<Vec<std::uint32_t, L>>(words));
    lanes[1] = odd_of_pairs<L>(bit_cast<Vec<std::uint32_t, L>>(words));
  } else {
    static_assert(std::is_same_v<typename E::Number, f16>, "lanes are of f16");
    Vec<std::uint16_t, L> halves[2];
    __builtin_memcpy(halves, &words, sizeof(halves));
    lanes[0] = f16_to_f32<L>(halves[0]);
    lanes[1] = f16_to_f32<L>(halves[1]);
  }
}

// Whether vectors of words are what a unit that multiplies pairs of bf16 reads.
template <class E>
inline constexpr bool kHoldsPairs = E::kPairs && std::is_same_v<typename E::Number, bf16>;

// even and odd += A * the words at values i and i + 1 of k, the latter only below `k`. A row by itself is a row tile of
// MR = 1. A<MR@m,2@k> of bf16, padded with zeros to whole pairs, adds both to `even`.
template <int L, int MR, int Rows, class E>
STRATA_INLINE void add_words(Tile<Rows, 1, L>& even, Tile<Rows, 1, L>&, const bf16* a, std::int64_t i, std::int64_t,
                             const Encoded<E>*, Halves<L> words) {
  static_assert(kHoldsPairs<E>);
  STRATA_UNROLL
  for (int r = 0; r < Rows; ++r) {
    std::uint32_t pair;
    __builtin_memcpy(&pair, a + i * MR + 2 * r, sizeof(pair));
    even.acc[r][0] =
        dot_pairs<L>(even.acc[r][0], Vec<std::uint32_t, L>{} + pair, bit_cast<Vec<std::uint32_t, L>>(words));
  }
}
template <int L, int MR, int Rows, class E>
STRATA_INLINE void add_words(Tile<Rows, 1, L>& even, Tile<Rows, 1, L>& odd, const float* a, std::int64_t i,
                             std::int64_t k, const Encoded<E>* type, Halves<L> words) {
  Vec<float, L> lanes[2];
  widen<L>(type, words, lanes);
  even.add_outer(a + i * MR, 1, {lanes[0]});
  if (i + 1 < k) odd.add_outer(a + (i + 1) * MR, 1, {lanes[1]});
}

// Element (r, i) of those tiles.
template <int MR>
STRATA_INLINE float tile_element(const bf16* a, int r, std::int64_t i) {
  return static_cast<float>(a[i / 2 * 2 * MR + 2 * r + i % 2]);
}
template <int MR>
STRATA_INLINE float tile_element(const float* a, int r, std::int64_t i) {
  return a[i * MR + r];
}

// The panels [panel_begin, panel_end) times the first `Rows` rows of a row tile. A panel after the other, its groups
// decoded in registers as they stream past. How: as Stream has it, but for the panels side by side.
template <int L, int MR, int Rows, Stream How, class TA, class E, class Store>
STRATA_NOINLINE void multiply_encoded(const TA* a, const EncodedMatrix<E, L>& matrix, std::int64_t k,
                                      const GemmTarget& out, std::int64_t panel_begin, std::int64_t panel_end,
                                      const Store& write) {
  constexpr std::int64_t kDepth = E::kDepth, kVectors = kDepth / 2;
  constexpr int kChains = Rows == 1 || (Rows == 2 && kDepth > 4) ? 4 : 2;        // hide the latency of the multiply-add
  constexpr std::int64_t kGroups = kVectors < kChains ? kChains / kVectors : 1;  // side by side
  static_assert(kGroups <= 2);
  constexpr std::int64_t kVectorBytes = E::bytes(L) / kVectors;
  constexpr std::int64_t kVectorsPerLine = kVectorBytes < 64 ? 64 / kVectorBytes : 1;
  const typename E::template Decoder<L> decoder(matrix.header());
  for (std::int64_t p = panel_begin; p < panel_end; ++p) {
    Tile<Rows, 1, L> chains[kChains];
    STRATA_UNROLL
    for (int u = 0; u < kChains; ++u) chains[u].clear();
    std::int64_t i = 0;
    const auto add_group = [&]<int G>(Lanes<G>) {
      const std::int64_t first = i + G * kDepth;
      const Encoded<E>* const group = matrix.group(p, first);
      decoder.each(group, [&]<int V>(Lanes<V>, Halves<L> words) {
        if constexpr (How.ahead != 0 && V % kVectorsPerLine == 0) {
          __builtin_prefetch(group + V * kVectorBytes + How.ahead, 0, How.locality);
        }
        constexpr int kSpread = kDepth > 4 ? 1 : 0;  // even and odd values of k have chains of their own
        constexpr int kEven = (G * static_cast<int>(kVectors) + (V << kSpread)) % kChains;
        add_words<L, MR>(chains[kEven], chains[kEven + kSpread], a, first + 2 * V, first + kDepth, group, words);
      });
    };
    for (; i + kGroups * kDepth <= k; i += kGroups * kDepth) {
      add_group(Lanes<0>{});
      if constexpr (kGroups == 2) add_group(Lanes<1>{});
    }
    for (; i < k; i += kDepth) {
      const Encoded<E>* const group = matrix.group(p, i);
      decoder.each(group, [&]<int V>(Lanes<V>, Halves<L> words) {
        if (i + 2 * V < k) add_words<L, MR>(chains[0], chains[1], a, i + 2 * V, k, group, words);
      });
    }
    STRATA_UNROLL
    for (int u = 1; u < kChains; ++u) chains[0].add(chains[u]);
    matrix.for_each_exception(p, 0, k, [&](std::int64_t at, int lane, float element) {
      STRATA_UNROLL
      for (int r = 0; r < Rows; ++r) chains[0].acc[r][0][lane] += tile_element<MR>(a, r, at) * element;
    });
    store_tile(chains[0], out.c, out.ldc, 0, out.m, p * L, out.n - p * L, write);
  }
}

// One row, of f32 or of pairs of bf16 padded with a zero: as gemv_panels on its numbers, from fewer bytes.
template <int L, Stream How, class TA, class E, class Store = Overwrite>
STRATA_INLINE void gemv_encoded(const TA* a, const Encoded<E>* b, std::int64_t k, std::int64_t n, float* c,
                                std::int64_t panel_begin, std::int64_t panel_end, const Store& write = {}) {
  multiply_encoded<L, 1, 1, How>(a, EncodedMatrix<E, L>(b, k), k, GemmTarget{c, n, 1, n}, panel_begin, panel_end,
                                 write);
}

// Two values of k of a panel as row tiles of each type read them, B<L@n,2@k> of bf16 and B<L@n> of f32, and where
// element (i, lane) of a panel lies there.
template <int L, class E>
STRATA_INLINE void store_words(const Encoded<E>*, Halves<L> words, bf16* out) {
  static_assert(kHoldsPairs<E>);
  __builtin_memcpy(out, &words, sizeof(words));
}
template <int L, class E>
STRATA_INLINE void store_words(const Encoded<E>* type, Halves<L> words, float* out) {
  Vec<float, L> lanes[2];
  widen<L>(type, words, lanes);
  __builtin_memcpy(out, lanes, sizeof(lanes));
}
template <int L>
constexpr std::int64_t decoded_index(std::int64_t i, std::int64_t lane, const bf16*) {
  return i / 2 * 2 * L + lane * 2 + i % 2;
}
template <int L>
constexpr std::int64_t decoded_index(std::int64_t i, std::int64_t lane, const float*) {
  return i * L + lane;
}

// k values [first, first + depth) of NV panels, each padded to whole groups; first is the start of one.
template <int L, int NV, class E, class Out>
STRATA_INLINE void decode_panels(const EncodedMatrix<E, L>& matrix, std::int64_t panel, std::int64_t first,
                                 std::int64_t depth, Out* out) {
  constexpr std::int64_t kDepth = E::kDepth;
  const typename E::template Decoder<L> decoder(matrix.header());
  const std::int64_t padded = div_up(depth, kDepth) * kDepth;
  for (int v = 0; v < NV; ++v, out += padded * L) {
    const Encoded<E>* group = matrix.group(panel + v, first);
    for (std::int64_t i = 0; i < padded; i += kDepth, group += E::bytes(L)) {
      decoder.each(group,
                   [&]<int V>(Lanes<V>, Halves<L> words) { store_words<L>(group, words, out + (i + 2 * V) * L); });
    }
    matrix.for_each_exception(panel + v, first, first + depth, [&](std::int64_t i, int lane, float element) {
      out[decoded_index<L>(i - first, lane, out)] = Out(element);
    });
  }
}

// Elements that panels of `depth` values of k, in groups of so many, take when they are decoded.
constexpr std::int64_t decoded_elements(std::int64_t lanes, std::int64_t panels, std::int64_t group,
                                        std::int64_t depth) {
  return panels * lanes * div_up(depth, group) * group;
}

// One row tile at most, A<MR@m> of f32 or A<MR@m,2@k> of bf16: reads B once and decodes it in registers.
template <int L, int MR, Stream How, class TA, class E>
STRATA_NOINLINE void gemm_few_encoded(const TA* a, const Encoded<E>* b, const GemmTarget& out, std::int64_t k,
                                      std::int64_t panel_begin, std::int64_t panel_end) {
  const EncodedMatrix<E, L> matrix(b, k);
  dispatch_height<MR>(out.m, [&]<int Rows>(Lanes<Rows>) {
    multiply_encoded<L, MR, Rows, How>(a, matrix, k, out, panel_begin, panel_end, Overwrite{});
  });
}

// As gemm_block, each group of panels decoded first, to the type of A. Blocks of k begin at whole groups.
template <int L, int MR, int NV, class TA, class E>
STRATA_NOINLINE void gemm_block_encoded(const TA* a, const Encoded<E>* b, const GemmTarget& out, std::int64_t k,
                                        Range rows, Range depth, std::int64_t panel_begin, std::int64_t panel_end,
                                        TA* scratch) {
  constexpr BLayout kLayout = sizeof(TA) == 2 ? BLayout::kPairs : BLayout::kLanes;
  constexpr std::int64_t kStep = kStepOf<kLayout>, kDepth = E::kDepth;
  const EncodedMatrix<E, L> matrix(b, k);
  const GemmRows<TA> block = block_of_rows<MR, kStep>(a, k, rows, depth);
  const GemmTarget target = out.of(depth);
  for_each_group<NV>(panel_begin, panel_end, [&]<int Count>(Lanes<Count>, std::int64_t p) {
    decode_panels<L, Count>(matrix, p, depth.begin, depth.size(), scratch);
    const TileB<TA> lanes{scratch, div_up(depth.size(), kDepth) * kDepth * L, kStep * L};
    const TileB<Encoded<E>> next{p + Count < panel_end ? matrix.group(p + Count, depth.begin) : nullptr,
                                 matrix.panel_bytes(), 0};
    gemm_group<L, MR, Count, kLayout, Stream{}>(block, lanes, next, target, p * L);
  });
}

// As gather_packed_rows on its numbers.
template <int L, class E, class Id, class Out>
STRATA_NOINLINE void gather_encoded_rows(const Encoded<E>* table, const Id* ids, std::int64_t count, std::int64_t dim,
                                         Out* out, std::int64_t ldo) {
  constexpr std::int64_t kDepth = E::kDepth;
  const EncodedMatrix<E, L> matrix(table, dim);
  const typename E::template Decoder<L> decoder(matrix.header());
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = static_cast<std::int64_t>(ids[i]);
    Out* const to = out + i * ldo;
    for (std::int64_t j = 0; j < dim; ++j) {
      const auto bits = decoder.element(matrix.group(row / L, j), j % kDepth, row % L);
      to[j] = Out(static_cast<float>(bit_cast<typename E::Number>(bits)));
    }
    matrix.for_each_exception(row / L, 0, dim, [&](std::int64_t j, int lane, float element) {
      if (lane == row % L) to[j] = Out(element);
    });
  }
}

}  // namespace strata::tensor
