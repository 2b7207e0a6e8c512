// SPDX-License-Identifier: Apache-2.0
// Weights in fewer bits without loss, for kernels that wait for memory: matrices of bf16 numbers in 12 bits an element,
// of f16 numbers in 15. Of a trained matrix's exponents a few are nearly all, and those have codes: in bf16 codes of
// four bits, for the 15 most frequent ones and that of zero; in f16 the exponent's last four bits, since only numbers
// of 2 and more have the first. The few elements without a code are zeros in the panels, and stored beside them:
// exceptions, which the kernels add. They are any floats, so an f32 matrix that is made of bf16 numbers, but for a few,
// is coded as well.
//
// (That exponents of trained weights carry under three bits of information is the observation of DFloat11, arXiv
// 2504.11651; there codes have variable length, here one vector of them is decoded by a few instructions.)
#pragma once

#include <utility>

#include "tensor/matmul.h"

namespace strata::tensor {

// A byte of a matrix whose numbers are coded as those of T.
template <class T>
struct Coded {
  std::uint8_t byte;
};

// At the start of the matrix. Behind it lie the panels, coded_panel_bytes each.
struct CodedHeader {
  std::uint8_t exponents[16];  // of bf16 by code; code 0 is exponent 0
  std::int64_t exceptions;     // bytes from the header to the exceptions; 0: there are none
  std::int64_t panels;
  std::uint8_t zero[32];
};
static_assert(sizeof(CodedHeader) == 64, "panels begin at a line");

// One element that has no code. First a list per panel: u32 first[panels + 1], numbers of exceptions; behind it, at the
// next multiple of 8 bytes, the exceptions themselves, by panel and position.
struct CodedException {
  std::uint32_t position;  // k * L + lane
  float element;
};

// Lanes of vectors whose bytes are looked up 16 at a time.
constexpr bool are_coded_lanes(std::int64_t lanes) { return lanes == 4 || lanes == 8 || lanes == 16; }

// A panel is made of groups of a few values of k. A group decodes to vectors of 2 L words, each two values of k.
template <class T>
struct CodedGroup;

// Four values of k, two of B<L@n,2@k> in a vector: 4 L bytes of signs and mantissas, then 2 L bytes of codes, two each.
template <>
struct CodedGroup<bf16> {
  static constexpr std::int64_t kDepth = 4;
  static constexpr std::int64_t bytes(std::int64_t lanes) { return 6 * lanes; }

  // Number of the byte that has the sign and mantissa of value i of the group's k in a lane; its code is nibble `byte`
  // of the codes, the lower one first. So interleaving the bytes of mantissas with those of exponents, 16 at a time,
  // gives the words.
  static constexpr std::int64_t byte(std::int64_t i, std::int64_t lane) {
    const std::int64_t word = 2 * lane + i % 2;
    return word / 8 * 16 + i / 2 * 8 + word % 8;
  }
};

// 32 values of k, two of B<L@n> in a vector. 15 vectors lie there as they are, but for bit 14 of their words, the
// exponent's first, which is 0. In its place vector v has a bit of the word of the 16th vector: bit v, the last one the
// sign.
template <>
struct CodedGroup<f16> {
  static constexpr std::int64_t kDepth = 32;
  static constexpr std::int64_t bytes(std::int64_t lanes) { return 60 * lanes; }

  static constexpr int kStored = 15;
  static constexpr int kHole = 14;
  static constexpr int bit_of(int vector) { return vector < kHole ? vector : 15; }
};

template <class T>
constexpr std::int64_t coded_panel_bytes(std::int64_t lanes, std::int64_t k) {
  return div_up(k, CodedGroup<T>::kDepth) * CodedGroup<T>::bytes(lanes);
}
constexpr std::int64_t exceptions_bytes(std::int64_t panels, std::int64_t count) {
  return div_up((panels + 1) * 4, 8) * 8 + count * static_cast<std::int64_t>(sizeof(CodedException));
}

// Bits of an element in a panel.
template <class T>
inline constexpr int kCodedBits = static_cast<int>(CodedGroup<T>::bytes(1) * 8 / CodedGroup<T>::kDepth);

template <int N>
using Bytes = Vec<std::uint8_t, N>;
template <int L>
using Halves = Vec<std::uint16_t, 2 * L>;

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
STRATA_INLINE Halves<N / 4> alternate_bytes(Bytes<N> a, Bytes<N> b, std::integer_sequence<int, Byte...>) {
  return bit_cast<Halves<N / 4>>(
      __builtin_shufflevector(a, b, (Byte / 16 * 16 + Half * 8 + Byte % 16 / 2 + Byte % 2 * N)...));
}

// each(group, f): f(Lanes<v>, words) for the vectors v = 0, 1, ... of a group. element(group, i, lane): the bits of
// one.
template <class T, int L>
class Decoder;

template <int L>
class Decoder<bf16, L> {
 public:
  explicit Decoder(const CodedHeader& header) : header_(header) {
    for (int i = 0; i < 4 * L; ++i) {
      upper_[i] = static_cast<std::uint8_t>(header.exponents[i % 16] >> 1);
      lower_[i] = static_cast<std::uint8_t>(header.exponents[i % 16] << 7);
    }
  }

  template <class F>
  STRATA_INLINE void each(const Coded<bf16>* group, F&& f) const {
    constexpr auto kBytes = std::make_integer_sequence<int, 4 * L>{};
    Bytes<4 * L> rest;
    Bytes<2 * L> packed;
    __builtin_memcpy(&rest, group, sizeof(rest));
    __builtin_memcpy(&packed, group + 4 * L, sizeof(packed));
    const Halves<L> two = convert<std::uint16_t, 2 * L>(packed);
    const auto codes = bit_cast<Bytes<4 * L>>((two | two << 4) & std::uint16_t{0x0f0f});
    const Bytes<4 * L> high = (rest & std::uint8_t{0x80}) | look_up<4 * L>(upper_, codes);
    const Bytes<4 * L> low = (rest & std::uint8_t{0x7f}) | look_up<4 * L>(lower_, codes);
    f(Lanes<0>{}, alternate_bytes<0, 4 * L>(low, high, kBytes));
    f(Lanes<1>{}, alternate_bytes<1, 4 * L>(low, high, kBytes));
  }

  std::uint16_t element(const Coded<bf16>* group, std::int64_t i, std::int64_t lane) const {
    const std::int64_t byte = CodedGroup<bf16>::byte(i, lane);
    const std::uint32_t rest = group[byte].byte;
    const std::uint32_t exponent = header_.exponents[group[4 * L + byte / 2].byte >> byte % 2 * 4 & 15];
    return static_cast<std::uint16_t>((rest & 0x80) << 8 | exponent << 7 | (rest & 0x7f));
  }

 private:
  const CodedHeader& header_;
  Bytes<4 * L> upper_, lower_;  // of what an exponent adds to a word, by code, once for every 16 bytes
};

template <int L>
class Decoder<f16, L> {
 public:
  explicit Decoder(const CodedHeader&) {}

  template <class F>
  STRATA_INLINE void each(const Coded<f16>* group, F&& f) const {
    Halves<L> last{};
    each_stored(group, last, f, std::make_integer_sequence<int, Group::kStored>{});
    f(Lanes<Group::kStored>{}, last);
  }

  std::uint16_t element(const Coded<f16>* group, std::int64_t i, std::int64_t lane) const {
    const auto word = [&](std::int64_t vector) {
      std::uint16_t bits;
      __builtin_memcpy(&bits, group + (vector * 2 + i % 2) * 2 * L + lane * 2, sizeof(bits));
      return static_cast<unsigned>(bits);
    };
    if (i / 2 < Group::kStored) return static_cast<std::uint16_t>(word(i / 2) & ~(1u << Group::kHole));
    unsigned bits = 0;
    for (int v = 0; v < Group::kStored; ++v) bits |= (word(v) >> Group::kHole & 1u) << Group::bit_of(v);
    return static_cast<std::uint16_t>(bits);
  }

 private:
  using Group = CodedGroup<f16>;

  template <class F, int... V>
  STRATA_INLINE static void each_stored(const Coded<f16>* group, Halves<L>& last, F& f,
                                        std::integer_sequence<int, V...>) {
    (stored<V>(group, last, f), ...);
  }
  template <int V, class F>
  STRATA_INLINE static void stored(const Coded<f16>* group, Halves<L>& last, F& f) {
    Halves<L> words;
    __builtin_memcpy(&words, group + V * 4 * L, sizeof(words));
    const Halves<L> moved = V < Group::kHole ? words >> (Group::kHole - V) : words << 1;
    last |= moved & static_cast<std::uint16_t>(1u << Group::bit_of(V));
    f(Lanes<V>{}, words & static_cast<std::uint16_t>(~(1u << Group::kHole)));
  }
};

// A coded matrix [n, k] in panels of L rows.
template <class T, int L>
class CodedMatrix {
 public:
  CodedMatrix(const Coded<T>* data, std::int64_t k)
      : CodedMatrix(*reinterpret_cast<const CodedHeader*>(data), data + sizeof(CodedHeader), k) {}
  CodedMatrix(const CodedHeader& header, const Coded<T>* panels, std::int64_t k)
      : header_(header), panels_(panels), panel_bytes_(coded_panel_bytes<T>(L, k)) {}

  const CodedHeader& header() const { return header_; }
  std::int64_t panel_bytes() const { return panel_bytes_; }
  const Coded<T>* group(std::int64_t panel, std::int64_t first) const {
    return panels_ + panel * panel_bytes_ + first / CodedGroup<T>::kDepth * CodedGroup<T>::bytes(L);
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
      if (at >= first && at < last) f(at, static_cast<int>(all[i].position % L), all[i].element);
    }
  }

 private:
  const CodedHeader& header_;
  const Coded<T>* panels_;
  std::int64_t panel_bytes_;
};

// The two values of k that a vector of words has, as floats.
template <int L>
STRATA_INLINE void widen(const Coded<bf16>*, Halves<L> words, Vec<float, L> (&lanes)[2]) {
  lanes[0] = even_of_pairs<L>(bit_cast<Vec<std::uint32_t, L>>(words));
  lanes[1] = odd_of_pairs<L>(bit_cast<Vec<std::uint32_t, L>>(words));
}
template <int L>
STRATA_INLINE void widen(const Coded<f16>*, Halves<L> words, Vec<float, L> (&lanes)[2]) {
  Vec<std::uint16_t, L> halves[2];
  __builtin_memcpy(halves, &words, sizeof(halves));
  lanes[0] = f16_to_f32<L>(halves[0]);
  lanes[1] = f16_to_f32<L>(halves[1]);
}

// even and odd += A * the words at values i and i + 1 of k, the latter only below `k`. A row by itself is a row tile of
// MR = 1. A<MR@m,2@k> of bf16, padded with zeros to whole pairs, adds both to `even`.
template <int L, int MR, int Rows>
STRATA_INLINE void add_words(Tile<Rows, 1, L>& even, Tile<Rows, 1, L>&, const bf16* a, std::int64_t i, std::int64_t,
                             const Coded<bf16>*, Halves<L> words) {
  STRATA_UNROLL
  for (int r = 0; r < Rows; ++r) {
    std::uint32_t pair;
    __builtin_memcpy(&pair, a + i * MR + 2 * r, sizeof(pair));
    even.acc[r][0] =
        dot_pairs<L>(even.acc[r][0], Vec<std::uint32_t, L>{} + pair, bit_cast<Vec<std::uint32_t, L>>(words));
  }
}
template <int L, int MR, int Rows, class T>
STRATA_INLINE void add_words(Tile<Rows, 1, L>& even, Tile<Rows, 1, L>& odd, const float* a, std::int64_t i,
                             std::int64_t k, const Coded<T>* type, Halves<L> words) {
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
template <int L, int MR, int Rows, Stream How, class TA, class T, class Store>
STRATA_NOINLINE void multiply_coded(const TA* a, const CodedMatrix<T, L>& matrix, std::int64_t k, const GemmTarget& out,
                                    std::int64_t panel_begin, std::int64_t panel_end, const Store& write) {
  constexpr std::int64_t kDepth = CodedGroup<T>::kDepth, kVectors = kDepth / 2;
  constexpr int kChains = Rows == 1 || (Rows == 2 && kDepth > 4) ? 4 : 2;        // hide the latency of the multiply-add
  constexpr std::int64_t kGroups = kVectors < kChains ? kChains / kVectors : 1;  // side by side
  static_assert(kGroups <= 2);
  constexpr std::int64_t kVectorBytes = CodedGroup<T>::bytes(L) / kVectors;
  constexpr std::int64_t kVectorsPerLine = kVectorBytes < 64 ? 64 / kVectorBytes : 1;
  const Decoder<T, L> decoder(matrix.header());
  for (std::int64_t p = panel_begin; p < panel_end; ++p) {
    Tile<Rows, 1, L> chains[kChains];
    STRATA_UNROLL
    for (int u = 0; u < kChains; ++u) chains[u].clear();
    std::int64_t i = 0;
    const auto add_group = [&]<int G>(Lanes<G>) {
      const std::int64_t first = i + G * kDepth;
      const Coded<T>* const group = matrix.group(p, first);
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
      const Coded<T>* const group = matrix.group(p, i);
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

// One row, of f32 or of pairs of bf16 padded with a zero: as gemv_panels on T, from fewer bytes.
template <int L, Stream How, class TA, class T, class Store = Overwrite>
STRATA_INLINE void gemv_coded(const TA* a, const Coded<T>* b, std::int64_t k, std::int64_t n, float* c,
                              std::int64_t panel_begin, std::int64_t panel_end, const Store& write = {}) {
  multiply_coded<L, 1, 1, How>(a, CodedMatrix<T, L>(b, k), k, GemmTarget{c, n, 1, n}, panel_begin, panel_end, write);
}

// Two values of k of a panel as row tiles of each type read them, B<L@n,2@k> of bf16 and B<L@n> of f32, and where
// element (i, lane) of a panel lies there.
template <int L>
STRATA_INLINE void store_words(const Coded<bf16>*, Halves<L> words, bf16* out) {
  __builtin_memcpy(out, &words, sizeof(words));
}
template <int L, class T>
STRATA_INLINE void store_words(const Coded<T>* type, Halves<L> words, float* out) {
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
template <int L, int NV, class T, class Out>
STRATA_INLINE void decode_panels(const CodedMatrix<T, L>& matrix, std::int64_t panel, std::int64_t first,
                                 std::int64_t depth, Out* out) {
  constexpr std::int64_t kDepth = CodedGroup<T>::kDepth;
  const Decoder<T, L> decoder(matrix.header());
  const std::int64_t padded = div_up(depth, kDepth) * kDepth;
  for (int v = 0; v < NV; ++v, out += padded * L) {
    const Coded<T>* group = matrix.group(panel + v, first);
    for (std::int64_t i = 0; i < padded; i += kDepth, group += CodedGroup<T>::bytes(L)) {
      decoder.each(group,
                   [&]<int V>(Lanes<V>, Halves<L> words) { store_words<L>(group, words, out + (i + 2 * V) * L); });
    }
    matrix.for_each_exception(panel + v, first, first + depth, [&](std::int64_t i, int lane, float element) {
      out[decoded_index<L>(i - first, lane, out)] = Out(element);
    });
  }
}

// Elements of scratch that gemm_coded takes.
template <int L, int NV, class T>
constexpr std::int64_t coded_scratch_elements(std::int64_t k) {
  constexpr std::int64_t kDepth = CodedGroup<T>::kDepth;
  return NV * L * div_up(k < kGemmDepth ? k : kGemmDepth, kDepth) * kDepth;
}

// How a row tile streams its panels from memory: fetched far ahead, into the L2 cache.
inline constexpr Stream kCodedTileStream = {1, 8192, 2};

// Many rows, A<MR@m> of f32 or A<MR@m,2@k> of bf16. A single row tile reads B once and decodes it in registers; of
// more, each block of NV panels is decoded once per block of rows, to the type of A.
template <int L, int MR, int NV, class TA, class T, class Store = Overwrite>
STRATA_NOINLINE void gemm_coded(const TA* a, std::int64_t m, const Coded<T>* b, std::int64_t k, std::int64_t n,
                                float* c, std::int64_t ldc, std::int64_t panel_begin, std::int64_t panel_end,
                                TA* scratch, const Store& write = {}) {
  static_assert(kSplitsDepth<Store>, "sums that can be added to");
  constexpr BLayout kLayout = sizeof(TA) == 2 ? BLayout::kPairs : BLayout::kLanes;
  constexpr std::int64_t kStep = kStepOf<kLayout>, kDepth = CodedGroup<T>::kDepth;
  if (m <= 0 || k <= 0) return;
  const CodedMatrix<T, L> matrix(b, k);
  const GemmTarget out{c, ldc, m, n};
  if (m <= MR) {
    return dispatch_height<MR>(m, [&]<int Rows>(Lanes<Rows>) {
      multiply_coded<L, MR, Rows, kCodedTileStream>(a, matrix, k, out, panel_begin, panel_end, write);
    });
  }
  const std::int64_t rows = equal_part(m, kGemmRows, MR);
  const std::int64_t depth = equal_part(k, kGemmDepth, kDepth);
  const auto multiply = [&]<int Count>(Lanes<Count>, std::int64_t panel, std::int64_t row, std::int64_t first) {
    const std::int64_t here = k - first < depth ? k - first : depth;
    const GemmRows<TA> block{a + first * MR, MR * div_up(k, kStep) * kStep, row, m - row < rows ? m - row : rows, here};
    decode_panels<L, Count>(matrix, panel, first, here, scratch);
    const TileB<TA> lanes{scratch, div_up(here, kDepth) * kDepth * L, kStep * L};
    const TileB<Coded<T>> next{panel + Count < panel_end ? matrix.group(panel + Count, first) : nullptr,
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

// As gather_packed_rows on T.
template <int L, class T, class Id, class Out>
STRATA_NOINLINE void gather_coded_rows(const Coded<T>* table, const Id* ids, std::int64_t count, std::int64_t dim,
                                       Out* out, std::int64_t ldo) {
  constexpr std::int64_t kDepth = CodedGroup<T>::kDepth;
  const CodedMatrix<T, L> matrix(table, dim);
  const Decoder<T, L> decoder(matrix.header());
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = static_cast<std::int64_t>(ids[i]);
    Out* const to = out + i * ldo;
    for (std::int64_t j = 0; j < dim; ++j) {
      T element;
      element.bits = decoder.element(matrix.group(row / L, j), j % kDepth, row % L);
      to[j] = Out(static_cast<float>(element));
    }
    matrix.for_each_exception(row / L, 0, dim, [&](std::int64_t j, int lane, float element) {
      if (lane == row % L) to[j] = Out(element);
    });
  }
}

}  // namespace strata::tensor
