// SPDX-License-Identifier: Apache-2.0
// Numbers of f16 in 15 bits: bit 14 of a word, the exponent's first, is 0 but in numbers of 2 and more.
#pragma once

#include "tensor/encoding.h"

namespace strata::tensor {

// A group has 32 values of k, two of B<L@n> in a vector. 15 vectors lie there as they are, but for bit 14 of their
// words. In its place vector v has a bit of the word of the 16th vector: bit v, the last one the sign.
struct F16In15 {
  using Number = f16;
  static constexpr bool kPairs = false;
  static constexpr bool kQuads = false;
  static constexpr std::int64_t kDepth = 32;
  static constexpr std::int64_t bytes(std::int64_t lanes) { return 60 * lanes; }

  static constexpr int kStored = 15;
  static constexpr int kHole = 14;
  static constexpr int bit_of(int vector) { return vector < kHole ? vector : 15; }

  template <int L>
  class Decoder;
};

template <int L>
class F16In15::Decoder {
 public:
  explicit Decoder(const EncodedHeader&) {}

  template <class F>
  STRATA_INLINE void each(const Encoded<F16In15>* group, F&& f) const {
    Halves<L> last{};
    each_stored(group, last, f, std::make_integer_sequence<int, kStored>{});
    f(Lanes<kStored>{}, last);
  }

  std::uint16_t element(const Encoded<F16In15>* group, std::int64_t i, std::int64_t lane) const {
    const auto word = [&](std::int64_t vector) {
      std::uint16_t bits;
      __builtin_memcpy(&bits, group + (vector * 2 + i % 2) * 2 * L + lane * 2, sizeof(bits));
      return static_cast<unsigned>(bits);
    };
    if (i / 2 < kStored) return static_cast<std::uint16_t>(word(i / 2) & ~(1u << kHole));
    unsigned bits = 0;
    for (int v = 0; v < kStored; ++v) bits |= (word(v) >> kHole & 1u) << bit_of(v);
    return static_cast<std::uint16_t>(bits);
  }

 private:
  template <class F, int... V>
  STRATA_INLINE static void each_stored(const Encoded<F16In15>* group, Halves<L>& last, F& f,
                                        std::integer_sequence<int, V...>) {
    (stored<V>(group, last, f), ...);
  }
  template <int V, class F>
  STRATA_INLINE static void stored(const Encoded<F16In15>* group, Halves<L>& last, F& f) {
    Halves<L> words;
    __builtin_memcpy(&words, group + V * 4 * L, sizeof(words));
    const Halves<L> moved = V < kHole ? words >> (kHole - V) : words << 1;
    last |= moved & static_cast<std::uint16_t>(1u << bit_of(V));
    f(Lanes<V>{}, words & static_cast<std::uint16_t>(~(1u << kHole)));
  }
};

}  // namespace strata::tensor
