// SPDX-License-Identifier: Apache-2.0
// Rows of 32-bit words in vectors made to alternate word by word: the transposition of a tile of R rows x L words, by
// constant shuffles of two vectors, which the compiler turns into the machine's own.
#pragma once

#include <utility>

#include "tensor/vec.h"

namespace strata::tensor {

template <int L>
using Words = Vec<std::uint32_t, L>;

// R rows of `Vectors` vectors of L words, each row cut into units of `Unit` words: the units of the rows alternate.
template <int L, int R, int Vectors, int Unit>
struct Alternation {
  static constexpr int kVectors = R * Vectors;

  // Where word i of result vector `result` comes from, counted in vectors and in words of that vector.
  struct Source {
    int vector;
    int word;
  };
  static constexpr Source source(int result, int i) {
    const int position = result * L + i;
    const int unit = position / Unit;
    const int word = unit / R * Unit + position % Unit;
    return {unit % R * Vectors + word / L, word % L};
  }
  // The first vector from `vector` on that `result` takes words of; kVectors if there is none.
  static constexpr int next_source(int result, int vector) {
    for (; vector < kVectors; ++vector) {
      for (int i = 0; i < L; ++i) {
        if (source(result, i).vector == vector) return vector;
      }
    }
    return kVectors;
  }
};

// Vector `Result` as far as it comes from `a` and b, which is vector `Vector` of the rows. For First >= 0, a is vector
// `First`; otherwise its words lie where they belong.
template <class A, int Result, int First, int Vector, int L, int... Word>
STRATA_INLINE Words<L> merge(Words<L> a, Words<L> b, std::integer_sequence<int, Word...>) {
  constexpr auto index = [](int i) {
    const auto from = A::source(Result, i);
    if (from.vector == Vector) return L + from.word;
    if (First < 0) return i;
    return from.vector == First ? from.word : -1;
  };
  return __builtin_shufflevector(a, b, index(Word)...);
}

// `words` with what comes from the vectors from `Vector` on.
template <class A, int Result, int First, int Vector, int L>
STRATA_INLINE Words<L> merge_from(Words<L> words, const Words<L>* rows) {
  if constexpr (Vector == A::kVectors) {
    return words;
  } else {
    words = merge<A, Result, First, Vector, L>(words, rows[Vector], std::make_integer_sequence<int, L>{});
    return merge_from<A, Result, -1, A::next_source(Result, Vector + 1), L>(words, rows);
  }
}

template <class A, int Result, int L>
STRATA_INLINE Words<L> alternating_vector(const Words<L>* rows) {
  constexpr int kFirst = A::next_source(Result, 0);
  return merge_from<A, Result, kFirst, A::next_source(Result, kFirst + 1), L>(rows[kFirst], rows);
}

template <class A, int L, int... Result>
STRATA_INLINE void alternate(const Words<L>* rows, Words<L>* out, std::integer_sequence<int, Result...>) {
  ((out[Result] = alternating_vector<A, Result, L>(rows)), ...);
}

constexpr int smallest_divisor(int n) {
  for (int d = 2; d < n; ++d) {
    if (n % d == 0) return d;
  }
  return n;
}

// Vectors rows[r * Vectors ..] are row r. Afterwards the vectors hold the rows' units alternating. Groups of rows as
// small as divide R go first, which gives fewer rows of wider units: 6 rows take 3 shuffles per vector, 8 rows take 3.
template <int L, int R, int Vectors = 1, int Unit = 1>
STRATA_INLINE void interleave(Words<L>* rows) {
  constexpr int kGroup = smallest_divisor(R);
  if constexpr (R > 1) {
    Words<L> out[R * Vectors];
    STRATA_UNROLL
    for (int r = 0; r < R; r += kGroup) {
      alternate<Alternation<L, kGroup, Vectors, Unit>, L>(rows + r * Vectors, out + r * Vectors,
                                                          std::make_integer_sequence<int, kGroup * Vectors>{});
    }
    interleave<L, R / kGroup, Vectors * kGroup, Unit * kGroup>(out);
    STRATA_UNROLL
    for (int v = 0; v < R * Vectors; ++v) rows[v] = out[v];
  }
}

// The elements at odd positions of a and b, one after the other.
template <class V, int... Element>
STRATA_INLINE V odd_elements(V a, V b, std::integer_sequence<int, Element...>) {
  return __builtin_shufflevector(a, b, 2 * Element + 1 ...);
}

}  // namespace strata::tensor
