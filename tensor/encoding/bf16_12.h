// SPDX-License-Identifier: Apache-2.0
// Numbers of bf16 in 12 bits: sign and mantissa in a byte, the exponent as an index of four bits into a table of the
// matrix's 16. Index 0 is exponent 0, that of zero; the others are the 15 most frequent ones.
#pragma once

#include "tensor/encoding.h"

namespace strata::tensor {

// A group has four values of k, two of B<L@n,2@k> in a vector: 4 L bytes of signs and mantissas, then 2 L bytes of
// indices, two each.
struct Bf16In12 {
  using Number = bf16;
  static constexpr bool kPairs = true;
  static constexpr bool kQuads = false;
  static constexpr std::int64_t kDepth = 4;
  static constexpr std::int64_t bytes(std::int64_t lanes) { return 6 * lanes; }

  // Number of the byte that has the sign and mantissa of value i of the group's k in a lane; its index is nibble `byte`
  // of the indices, the lower one first. So interleaving the bytes of mantissas with those of exponents, 16 at a time,
  // gives the words.
  static constexpr std::int64_t byte(std::int64_t i, std::int64_t lane) {
    const std::int64_t word = 2 * lane + i % 2;
    return word / 8 * 16 + i / 2 * 8 + word % 8;
  }

  template <int L>
  class Decoder;
};

// Bytes of a and b in turn: of each 16, the first eight (Half 0) or the last eight (1).
template <int Half, int N, int... Byte>
STRATA_INLINE Halves<N / 4> alternate_bytes(Bytes<N> a, Bytes<N> b, std::integer_sequence<int, Byte...>) {
  return bit_cast<Halves<N / 4>>(
      __builtin_shufflevector(a, b, (Byte / 16 * 16 + Half * 8 + Byte % 16 / 2 + Byte % 2 * N)...));
}

template <int L>
class Bf16In12::Decoder {
 public:
  explicit Decoder(const EncodedHeader& header) : header_(header) {
    for (int i = 0; i < 4 * L; ++i) {
      upper_[i] = static_cast<std::uint8_t>(header.table[i % 16] >> 1);
      lower_[i] = static_cast<std::uint8_t>(header.table[i % 16] << 7);
    }
  }

  template <class F>
  STRATA_INLINE void each(const Encoded<Bf16In12>* group, F&& f) const {
    constexpr auto kBytes = std::make_integer_sequence<int, 4 * L>{};
    Bytes<4 * L> rest;
    Bytes<2 * L> packed;
    __builtin_memcpy(&rest, group, sizeof(rest));
    __builtin_memcpy(&packed, group + 4 * L, sizeof(packed));
    const Halves<L> two = convert<std::uint16_t, 2 * L>(packed);
    const auto indices = bit_cast<Bytes<4 * L>>((two | two << 4) & std::uint16_t{0x0f0f});
    const Bytes<4 * L> high = (rest & std::uint8_t{0x80}) | look_up<4 * L>(upper_, indices);
    const Bytes<4 * L> low = (rest & std::uint8_t{0x7f}) | look_up<4 * L>(lower_, indices);
    f(Lanes<0>{}, alternate_bytes<0, 4 * L>(low, high, kBytes));
    f(Lanes<1>{}, alternate_bytes<1, 4 * L>(low, high, kBytes));
  }

  std::uint16_t element(const Encoded<Bf16In12>* group, std::int64_t i, std::int64_t lane) const {
    const std::int64_t byte = Bf16In12::byte(i, lane);
    const std::uint32_t rest = group[byte].byte;
    const std::uint32_t exponent = header_.table[group[4 * L + byte / 2].byte >> byte % 2 * 4 & 15];
    return static_cast<std::uint16_t>((rest & 0x80) << 8 | exponent << 7 | (rest & 0x7f));
  }

 private:
  const EncodedHeader& header_;
  Bytes<4 * L> upper_, lower_;  // of what an exponent adds to a word, by index, once for every 16 bytes
};

}  // namespace strata::tensor
