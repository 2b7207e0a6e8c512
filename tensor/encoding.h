// SPDX-License-Identifier: Apache-2.0
// What an encoding of weights is to the kernels. It holds the elements of a matrix in fewer bits, without loss, for
// kernels that wait for memory. Of a trained matrix's exponents a few are nearly all, and those are spelled short. The
// few elements that have no short form are zeros in the panels, and stored beside them: exceptions, which the kernels
// add. They are any floats, so an f32 matrix that is made of bf16 numbers, but for a few, is encoded as well.
//
// (That exponents of trained weights carry under three bits of information is the observation of DFloat11, arXiv
// 2504.11651; there words have variable length, here one vector of them is decoded by a few instructions.)
//
// Each encoding is a type E in a file of its own (tensor/encoding):
//
//   using Number             what the words that it decodes to are: bf16 or f16; or int8_t, codes of quantised weights
//   kPairs                   how two values of k lie in a vector of 2 L words: side by side as in B<L@n,2@k>, or one
//                            half each as in B<L@n>
//   kQuads                   the vectors are of L quads of bytes, four values of k as in B<L@n,4@k>, instead of words
//   kDepth, bytes(lanes)     a panel is made of groups: values of k of one, and its bytes
//   Decoder<L>(header)       each(group, f): f(Lanes<v>, words) for the vectors v = 0, 1, ... of a group
//                            quads<v>(group): of quads, vector v by itself, and what products of codes want besides
//                            (tensor/encoding/codes.h)
//                            element(group, i, lane): the bits of one element (a code itself), value i of the
//                            group's k
#pragma once

#include <utility>

#include "tensor/pack.h"
#include "tensor/tile.h"

namespace strata::tensor {

// A byte of a matrix in the encoding E.
template <class E>
struct Encoded {
  std::uint8_t byte;
};

// At the start of the matrix. Behind it lie the panels, encoded_panel_bytes each.
struct EncodedHeader {
  std::uint8_t table[16];   // what the encoding keeps of the whole matrix
  std::int64_t exceptions;  // bytes from the header to the exceptions; 0: there are none
  std::int64_t panels;
  std::uint8_t zero[32];
};
static_assert(sizeof(EncodedHeader) == 64, "panels begin at a line");

// One element that has no form in the encoding. First a list per panel: u32 first[panels + 1], numbers of exceptions;
// behind it, at the next multiple of 8 bytes, the exceptions themselves, by panel and position.
struct EncodedException {
  std::uint32_t position;  // k * L + lane
  float element;
};

// Lanes of vectors whose bytes are looked up 16 at a time.
constexpr bool are_encoded_lanes(std::int64_t lanes) { return lanes == 4 || lanes == 8 || lanes == 16; }

template <class E>
constexpr std::int64_t encoded_panel_bytes(std::int64_t lanes, std::int64_t k) {
  return div_up(k, E::kDepth) * E::bytes(lanes);
}
constexpr std::int64_t exceptions_bytes(std::int64_t panels, std::int64_t count) {
  return div_up((panels + 1) * 4, 8) * 8 + count * static_cast<std::int64_t>(sizeof(EncodedException));
}

// Bits of an element in a panel.
template <class E>
inline constexpr int kEncodedBits = static_cast<int>(E::bytes(1) * 8 / E::kDepth);

template <int N>
using Bytes = Vec<std::uint8_t, N>;
template <int L>
using Halves = Vec<std::uint16_t, 2 * L>;

template <int N>
STRATA_INLINE Bytes<N> look_up(Bytes<N> table, Bytes<N> indices) {
  if constexpr (arch::kHasByteLookup<N>) {
    return arch::look_up<N>(table, indices);
  } else if constexpr (arch::kHasByteLookup<N / 2>) {
    Bytes<N / 2> tables[2], parts[2];
    __builtin_memcpy(tables, &table, sizeof(table));
    __builtin_memcpy(parts, &indices, sizeof(indices));
    for (int i = 0; i < 2; ++i) parts[i] = arch::look_up<N / 2>(tables[i], parts[i]);
    Bytes<N> found;
    __builtin_memcpy(&found, parts, sizeof(found));
    return found;
  } else {
    Bytes<N> found;
    for (int i = 0; i < N; ++i) found[i] = table[indices[i]];
    return found;
  }
}

}  // namespace strata::tensor
