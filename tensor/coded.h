// SPDX-License-Identifier: Apache-2.0
// bf16 matrices in 12 bits an element, without loss, for kernels that wait for memory. Of a trained matrix's exponents
// a few are nearly all: the 15 most frequent ones and that of zero have codes of four bits. The few elements with
// another exponent are stored as zeros in the panels, and beside them as they are: exceptions, which the kernels add.
//
// (That exponents of trained weights carry under three bits of information is the observation of DFloat11, arXiv
// 2504.11651; there codes have variable length, here one vector of them is looked up by one instruction.)
#pragma once

#include <utility>

#include "tensor/matmul.h"

namespace strata::tensor {

// A byte of a matrix of T in code.
template <class T>
struct Coded {
  std::uint8_t byte;
};

// At the start of the matrix. Behind it lie the panels of B<L@n,2@k>, coded_panel_bytes each.
struct CodedHeader {
  std::uint8_t exponents[16];  // by code; code 0 is exponent 0
  std::int64_t exceptions;     // bytes from the header to the exceptions; 0: there are none
  std::int64_t panels;
  std::uint8_t zero[32];
};
static_assert(sizeof(CodedHeader) == 64, "panels begin at a line");

// One element that has no code. First a list per panel: u32 first[panels + 1], numbers of exceptions; behind it, at the
// next multiple of 8 bytes, the exceptions themselves, by panel and position.
struct CodedException {
  std::uint32_t position;  // k * L + lane
  std::uint16_t bits;
  std::uint16_t zero;
};

// Lanes of vectors whose bytes are looked up 16 at a time.
constexpr bool are_coded_lanes(std::int64_t lanes) { return lanes == 4 || lanes == 8 || lanes == 16; }

// A panel is made of groups of four values of k: 4 L bytes of signs and mantissas, then 2 L bytes of codes, two each.
inline constexpr std::int64_t kCodedGroup = 4;
constexpr std::int64_t coded_group_bytes(std::int64_t lanes) { return 6 * lanes; }
constexpr std::int64_t coded_panel_bytes(std::int64_t lanes, std::int64_t k) {
  return div_up(k, kCodedGroup) * coded_group_bytes(lanes);
}
constexpr std::int64_t exceptions_bytes(std::int64_t panels, std::int64_t count) {
  return div_up((panels + 1) * 4, 8) * 8 + count * static_cast<std::int64_t>(sizeof(CodedException));
}

// Number of the byte of a group that has the sign and mantissa of value i of the group's k in a lane; its code is
// nibble `byte` of the codes, the lower one first. So interleaving the bytes of mantissas with those of exponents, 16
// at a time, gives the words of B<L@n,2@k>.
constexpr std::int64_t coded_byte(std::int64_t i, std::int64_t lane) {
  const std::int64_t word = 2 * lane + i % 2;
  return word / 8 * 16 + i / 2 * 8 + word % 8;
}

template <int N>
using Bytes = Vec<std::uint8_t, N>;

template <int N>
STRATA_INLINE Bytes<N> look_up(Bytes<N> table, Bytes<N> codes) {
  if constexpr (arch::kHasByteLookup<N>) {
    return arch::look_up<N>(table, codes);
  } else {
    Bytes<N> found;
    for (int i = 0; i < N; ++i) found[i] = table[codes[i]];
    return found;
  }
}

// Bytes of a and b in turn: of each 16, the first eight (Half 0) or the last eight (1).
template <int Half, int N, int... Byte>
STRATA_INLINE Vec<std::uint32_t, N / 4> alternate_bytes(Bytes<N> a, Bytes<N> b, std::integer_sequence<int, Byte...>) {
  return bit_cast<Vec<std::uint32_t, N / 4>>(
      __builtin_shufflevector(a, b, (Byte / 16 * 16 + Half * 8 + Byte % 16 / 2 + Byte % 2 * N)...));
}

// The upper and the lower byte of what an exponent adds to a bf16, by code, once for every 16 bytes of a vector.
template <int L>
struct ExponentTable {
  Bytes<4 * L> upper, lower;

  explicit ExponentTable(const CodedHeader& header) {
    for (int i = 0; i < 4 * L; ++i) {
      upper[i] = static_cast<std::uint8_t>(header.exponents[i % 16] >> 1);
      lower[i] = static_cast<std::uint8_t>(header.exponents[i % 16] << 7);
    }
  }

  // Two vectors of pairs: of the group's first and second two values of k.
  STRATA_INLINE void decode(const Coded<bf16>* group, Vec<std::uint32_t, L> (&pairs)[2]) const {
    Bytes<4 * L> rest;
    Bytes<2 * L> packed;
    __builtin_memcpy(&rest, group, sizeof(rest));
    __builtin_memcpy(&packed, group + 4 * L, sizeof(packed));
    using Halves = Vec<std::uint16_t, 2 * L>;
    const Halves two = convert<std::uint16_t, 2 * L>(packed);
    const auto codes = bit_cast<Bytes<4 * L>>((two | two << 4) & std::uint16_t{0x0f0f});
    const Bytes<4 * L> high = (rest & std::uint8_t{0x80}) | look_up<4 * L>(upper, codes);
    const Bytes<4 * L> low = (rest & std::uint8_t{0x7f}) | look_up<4 * L>(lower, codes);
    pairs[0] = alternate_bytes<0, 4 * L>(low, high, std::make_integer_sequence<int, 4 * L>{});
    pairs[1] = alternate_bytes<1, 4 * L>(low, high, std::make_integer_sequence<int, 4 * L>{});
  }
};

// A coded matrix [n, k] in panels of L rows.
template <int L>
class CodedMatrix {
 public:
  CodedMatrix(const Coded<bf16>* data, std::int64_t k)
      : header_(*reinterpret_cast<const CodedHeader*>(data)),
        panels_(data + sizeof(CodedHeader)),
        panel_bytes_(coded_panel_bytes(L, k)) {}

  const CodedHeader& header() const { return header_; }
  std::int64_t panel_bytes() const { return panel_bytes_; }
  const Coded<bf16>* group(std::int64_t panel, std::int64_t first) const {
    return panels_ + panel * panel_bytes_ + first / kCodedGroup * coded_group_bytes(L);
  }
  std::uint8_t exponent(const Coded<bf16>* group, std::int64_t byte) const {
    return header_.exponents[group[4 * L + byte / 2].byte >> byte % 2 * 4 & 15];
  }

  // f(k, lane, element) for the exceptions of a panel with k in [first, last).
  template <class F>
  STRATA_INLINE void for_each_exception(std::int64_t panel, std::int64_t first, std::int64_t last, F&& f) const {
    if (header_.exceptions == 0) return;
    const char* const lists = reinterpret_cast<const char*>(&header_) + header_.exceptions;
    const auto* const begins = reinterpret_cast<const std::uint32_t*>(lists);
    const auto* const all = reinterpret_cast<const CodedException*>(lists + exceptions_bytes(header_.panels, 0));
    for (std::uint32_t i = begins[panel]; i < begins[panel + 1]; ++i) {
      const std::int64_t at = all[i].position / L;
      if (at < first || at >= last) continue;
      bf16 element;
      element.bits = all[i].bits;
      f(at, static_cast<int>(all[i].position % L), element);
    }
  }

 private:
  const CodedHeader& header_;
  const Coded<bf16>* panels_;
  std::int64_t panel_bytes_;
};

// sums += A * the pairs at values i and i + 1 of k, the latter only below `k`. A row by itself is a row tile of MR = 1.
// A<MR@m,2@k> of bf16 is padded with zeros to whole pairs.
template <int L, int MR, int Rows>
STRATA_INLINE void add_pairs(Tile<Rows, 1, L>& sums, const bf16* a, std::int64_t i, std::int64_t,
                             Vec<std::uint32_t, L> pairs) {
  STRATA_UNROLL
  for (int r = 0; r < Rows; ++r) {
    std::uint32_t pair;
    __builtin_memcpy(&pair, a + i * MR + 2 * r, sizeof(pair));
    sums.acc[r][0] = dot_pairs<L>(sums.acc[r][0], Vec<std::uint32_t, L>{} + pair, pairs);
  }
}
// A<MR@m> of f32 meets B widened.
template <int L, int MR, int Rows>
STRATA_INLINE void add_pairs(Tile<Rows, 1, L>& sums, const float* a, std::int64_t i, std::int64_t k,
                             Vec<std::uint32_t, L> pairs) {
  const Vec<float, L> even[1] = {even_of_pairs<L>(pairs)}, odd[1] = {odd_of_pairs<L>(pairs)};
  sums.add_outer(a + i * MR, 1, even);
  if (i + 1 < k) sums.add_outer(a + (i + 1) * MR, 1, odd);
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
// decoded in registers as they stream past. `ahead`: as Stream has it.
template <int L, int MR, int Rows, class TA, class Store>
STRATA_NOINLINE void multiply_coded(const TA* a, const CodedMatrix<L>& matrix, std::int64_t k, const GemmTarget& out,
                                    std::int64_t panel_begin, std::int64_t panel_end, std::int64_t ahead,
                                    const Store& write) {
  constexpr int kGroups = Rows == 1 ? 2 : 1;  // side by side: four chains of sums hide the latency of the multiply-add
  constexpr int kChains = 2 * kGroups;
  const ExponentTable<L> table(matrix.header());
  for (std::int64_t p = panel_begin; p < panel_end; ++p) {
    Tile<Rows, 1, L> chains[kChains];
    STRATA_UNROLL
    for (int u = 0; u < kChains; ++u) chains[u].clear();
    std::int64_t i = 0;
    for (; i + kGroups * kCodedGroup <= k; i += kGroups * kCodedGroup) {
      if (ahead != 0) {
        STRATA_UNROLL
        for (std::int64_t at = 0; at < kGroups * coded_group_bytes(L); at += 64) {
          __builtin_prefetch(matrix.group(p, i) + at + ahead, 0, 0);
        }
      }
      STRATA_UNROLL
      for (int g = 0; g < kGroups; ++g) {
        const std::int64_t first = i + g * kCodedGroup;
        Vec<std::uint32_t, L> pairs[2];
        table.decode(matrix.group(p, first), pairs);
        add_pairs<L, MR>(chains[2 * g], a, first, first + kCodedGroup, pairs[0]);
        add_pairs<L, MR>(chains[2 * g + 1], a, first + 2, first + kCodedGroup, pairs[1]);
      }
    }
    for (; i < k; i += kCodedGroup) {
      Vec<std::uint32_t, L> pairs[2];
      table.decode(matrix.group(p, i), pairs);
      add_pairs<L, MR>(chains[0], a, i, k, pairs[0]);
      if (i + 2 < k) add_pairs<L, MR>(chains[1], a, i + 2, k, pairs[1]);
    }
    STRATA_UNROLL
    for (int u = 1; u < kChains; ++u) chains[0].add(chains[u]);
    matrix.for_each_exception(p, 0, k, [&](std::int64_t at, int lane, bf16 element) {
      STRATA_UNROLL
      for (int r = 0; r < Rows; ++r) {
        chains[0].acc[r][0][lane] += tile_element<MR>(a, r, at) * static_cast<float>(element);
      }
    });
    store_tile(chains[0], out.c, out.ldc, 0, out.m, p * L, out.n - p * L, write);
  }
}

// One row, of f32 or of pairs of bf16 padded with a zero: as gemv_panels on bf16, from three quarters of the bytes.
template <int L, Stream How, class TA, class Store = Overwrite>
STRATA_INLINE void gemv_coded(const TA* a, const Coded<bf16>* b, std::int64_t k, std::int64_t n, float* c,
                              std::int64_t panel_begin, std::int64_t panel_end, const Store& write = {}) {
  multiply_coded<L, 1, 1>(a, CodedMatrix<L>(b, k), k, GemmTarget{c, n, 1, n}, panel_begin, panel_end, How.ahead, write);
}

// Two values of k of a panel as row tiles of each type read them, B<L@n,2@k> of bf16 and B<L@n> of f32, and where
// element (i, lane) of a panel lies there.
template <int L>
STRATA_INLINE void store_pairs(Vec<std::uint32_t, L> pairs, bf16* out) {
  __builtin_memcpy(out, &pairs, sizeof(pairs));
}
template <int L>
STRATA_INLINE void store_pairs(Vec<std::uint32_t, L> pairs, float* out) {
  store(Lanes<L>{}, out, even_of_pairs<L>(pairs));
  store(Lanes<L>{}, out + L, odd_of_pairs<L>(pairs));
}
template <int L>
constexpr std::int64_t decoded_index(std::int64_t i, std::int64_t lane, const bf16*) {
  return i / 2 * 2 * L + lane * 2 + i % 2;
}
template <int L>
constexpr std::int64_t decoded_index(std::int64_t i, std::int64_t lane, const float*) {
  return i * L + lane;
}

// k values [first, first + depth) of NV panels, each div_up(depth, 4) groups of 4 L elements; first is a multiple of
// four.
template <int L, int NV, class T>
STRATA_INLINE void decode_panels(const CodedMatrix<L>& matrix, std::int64_t panel, std::int64_t first,
                                 std::int64_t depth, T* out) {
  const ExponentTable<L> table(matrix.header());
  const std::int64_t size = div_up(depth, kCodedGroup) * kCodedGroup * L;
  for (int v = 0; v < NV; ++v, out += size) {
    const Coded<bf16>* group = matrix.group(panel + v, first);
    for (std::int64_t at = 0; at < size; at += kCodedGroup * L, group += coded_group_bytes(L)) {
      Vec<std::uint32_t, L> pairs[2];
      table.decode(group, pairs);
      store_pairs<L>(pairs[0], out + at);
      store_pairs<L>(pairs[1], out + at + 2 * L);
    }
    matrix.for_each_exception(panel + v, first, first + depth, [&](std::int64_t i, int lane, bf16 element) {
      out[decoded_index<L>(i - first, lane, out)] = T(static_cast<float>(element));
    });
  }
}

// Elements of scratch that gemm_coded takes.
template <int L, int NV>
constexpr std::int64_t coded_scratch_elements(std::int64_t k) {
  return NV * L * div_up(k < kGemmDepth ? k : kGemmDepth, kCodedGroup) * kCodedGroup;
}

// Many rows, A<MR@m> of f32 or A<MR@m,2@k> of bf16. A single row tile reads B once and decodes it in registers; of
// more, each block of NV panels is decoded once per block of rows, to the type of A. Fetching 4 KiB ahead is for the
// tile, which streams from memory.
template <int L, int MR, int NV, class TA, class Store = Overwrite>
STRATA_NOINLINE void gemm_coded(const TA* a, std::int64_t m, const Coded<bf16>* b, std::int64_t k, std::int64_t n,
                                float* c, std::int64_t ldc, std::int64_t panel_begin, std::int64_t panel_end,
                                TA* scratch, const Store& write = {}) {
  static_assert(kSplitsDepth<Store>, "sums that can be added to");
  constexpr BLayout kLayout = sizeof(TA) == 2 ? BLayout::kPairs : BLayout::kLanes;
  constexpr std::int64_t kStep = kStepOf<kLayout>;
  if (m <= 0 || k <= 0) return;
  const CodedMatrix<L> matrix(b, k);
  const GemmTarget out{c, ldc, m, n};
  if (m <= MR) {
    return dispatch_height<MR>(m, [&]<int Rows>(Lanes<Rows>) {
      multiply_coded<L, MR, Rows>(a, matrix, k, out, panel_begin, panel_end, 4096, write);
    });
  }
  const std::int64_t rows = equal_part(m, kGemmRows, MR);
  const std::int64_t depth = equal_part(k, kGemmDepth, kCodedGroup);
  const auto multiply = [&]<int Count>(Lanes<Count>, std::int64_t panel, std::int64_t row, std::int64_t first) {
    const std::int64_t here = k - first < depth ? k - first : depth;
    const GemmRows<TA> block{a + first * MR, MR * div_up(k, kStep) * kStep, row, m - row < rows ? m - row : rows, here};
    decode_panels<L, Count>(matrix, panel, first, here, scratch);
    const TileB<TA> lanes{scratch, div_up(here, kCodedGroup) * kCodedGroup * L, kStep * L};
    const TileB<Coded<bf16>> next{panel + Count < panel_end ? matrix.group(panel + Count, first) : nullptr,
                                  matrix.panel_bytes(), 0};
    if (first > 0) return gemm_group<L, MR, Count, kLayout>(block, lanes, next, out, panel * L, Accumulate{});
    gemm_group<L, MR, Count, kLayout>(block, lanes, next, out, panel * L, write);
  };
  for (std::int64_t row = 0; row < m; row += rows) {
    for (std::int64_t first = 0; first < k; first += depth) {
      std::int64_t p = panel_begin;
      for (; p + NV <= panel_end; p += NV) multiply(Lanes<NV>{}, p, row, first);
      for (; p < panel_end; ++p) multiply(Lanes<1>{}, p, row, first);
    }
  }
}

// As gather_packed_rows on bf16.
template <int L, class Id, class Out>
STRATA_NOINLINE void gather_coded_rows(const Coded<bf16>* table, const Id* ids, std::int64_t count, std::int64_t dim,
                                       Out* out, std::int64_t ldo) {
  const CodedMatrix<L> matrix(table, dim);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = static_cast<std::int64_t>(ids[i]);
    Out* const to = out + i * ldo;
    for (std::int64_t j = 0; j < dim; ++j) {
      const Coded<bf16>* const group = matrix.group(row / L, j);
      const std::int64_t byte = coded_byte(j % kCodedGroup, row % L);
      const std::uint32_t rest = group[byte].byte;
      bf16 element;
      element.bits = static_cast<std::uint16_t>((rest & 0x80) << 8 | matrix.exponent(group, byte) << 7 | (rest & 0x7f));
      to[j] = Out(static_cast<float>(element));
    }
    matrix.for_each_exception(row / L, 0, dim, [&](std::int64_t j, int lane, bf16 element) {
      if (lane == row % L) to[j] = Out(static_cast<float>(element));
    });
  }
}

}  // namespace strata::tensor
