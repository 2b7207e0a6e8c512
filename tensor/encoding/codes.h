// SPDX-License-Identifier: Apache-2.0
// Codes of int8, of which a matrix has few, as digits of four to six bits.
#pragma once

#include "tensor/encoding.h"

namespace strata::tensor {

// What a digit says of its code: where it stands in a table of 16, or by how much it is above the least one, which is
// the table's first byte.
enum class Digits { kPlaces, kDistances };

// A group has so many values of k that the bits above the fourth of all its digits fill whole bytes. Of quads of k that
// follow one another two share four bytes of each lane: the lower four bits of the first one's digits lie in the lower
// halves. Behind all of these are the bits above, four bytes of each lane for the whole group, the first quad's in the
// lowest bits. So a group decodes to vectors of quads as they lie in B<L@n,4@k>. There are no exceptions.
template <int Bits, Digits Are>
struct CodesIn {
  static_assert(Bits == 4 || (Are == Digits::kDistances && (Bits == 5 || Bits == 6)));
  using Number = std::int8_t;
  static constexpr bool kPairs = false;
  static constexpr bool kQuads = true;
  static constexpr bool kHasTable = Are == Digits::kPlaces;
  static constexpr int kHighBits = Bits - 4;
  static constexpr std::int64_t kDepth = kHighBits == 0 ? 8 : 32 / kHighBits;
  static constexpr std::int64_t bytes(std::int64_t lanes) { return kDepth * Bits / 8 * lanes; }

  // The largest difference of a code and the least one.
  static constexpr int kMost = kHasTable ? 255 : (1 << Bits) - 1;

  // Where the digit of value i of the group's k is in a lane: byte and lowest bit of its lower four bits, and of those
  // above.
  static constexpr std::int64_t low_byte(std::int64_t i, std::int64_t lane, std::int64_t lanes) {
    return i / 8 * 4 * lanes + lane * 4 + i % 4;
  }
  static constexpr int low_bit(std::int64_t i) { return static_cast<int>(i / 4 % 2 * 4); }
  static constexpr std::int64_t high_byte(std::int64_t i, std::int64_t lane, std::int64_t lanes) {
    return kDepth / 2 * lanes + lane * 4 + i % 4;
  }
  static constexpr int high_bit(std::int64_t i) { return static_cast<int>(i / 4) * kHighBits; }

  template <int L>
  class Decoder;
};

// The bits of bytes by so many places upwards; those that leave a byte come into its neighbour.
template <int N, int Places>
STRATA_INLINE Bytes<N> shifted(Bytes<N> bytes) {
  const auto words = bit_cast<Vec<std::uint16_t, N / 2>>(bytes);
  if constexpr (Places >= 0) {
    return bit_cast<Bytes<N>>(words << Places);
  } else {
    return bit_cast<Bytes<N>>(words >> -Places);
  }
}

template <int Bits, Digits Are>
template <int L>
class CodesIn<Bits, Are>::Decoder {
 public:
  using Quads = Vec<std::int32_t, L>;
  using Group = Encoded<CodesIn>;

  explicit Decoder(const EncodedHeader& header) {
    std::int8_t codes[16];
    __builtin_memcpy(codes, header.table, sizeof(codes));
    low_ = codes[0];
    for (int i = 0; i < (kHasTable ? 16 : 1); ++i) low_ = codes[i] < low_ ? codes[i] : low_;
    for (int i = 0; i < 4 * L; ++i) codes_[i] = static_cast<std::uint8_t>(codes[kHasTable ? i % 16 : 0]);
    distances_ = codes_ - static_cast<std::uint8_t>(low_);
  }

  // The least code.
  int low() const { return low_; }

  // Values 4 V to 4 V + 3 of k: the codes, and how much they are above the least one, from 0 to kMost.
  template <int V>
  STRATA_INLINE Quads quads(const Group* group) const {
    const Bytes<4 * L> found = digits<V>(group);
    return bit_cast<Quads>(kHasTable ? look_up<4 * L>(codes_, found) : found + codes_);
  }
  template <int V>
  STRATA_INLINE Quads distances(const Group* group) const {
    const Bytes<4 * L> found = digits<V>(group);
    return bit_cast<Quads>(kHasTable ? look_up<4 * L>(distances_, found) : found);
  }

  // The code of value i of the group's k.
  std::int8_t element(const Group* group, std::int64_t i, std::int64_t lane) const {
    int digit = group[low_byte(i, lane, L)].byte >> low_bit(i) & 15;
    if constexpr (kHighBits != 0)
      digit |= (group[high_byte(i, lane, L)].byte >> high_bit(i) & ((1 << kHighBits) - 1)) << 4;
    return static_cast<std::int8_t>(kHasTable ? codes_[digit] : digit + low_);
  }

 private:
  template <int V>
  STRATA_INLINE static Bytes<4 * L> digits(const Group* group) {
    Bytes<4 * L> low;
    __builtin_memcpy(&low, group + low_byte(4 * V, 0, L), sizeof(low));
    low = shifted<4 * L, -low_bit(4 * V)>(low) & std::uint8_t{15};
    if constexpr (kHighBits == 0) {
      return low;
    } else {
      Bytes<4 * L> high;
      __builtin_memcpy(&high, group + high_byte(4 * V, 0, L), sizeof(high));
      constexpr int kMask = ((1 << kHighBits) - 1) << 4;
      return low | (shifted<4 * L, 4 - high_bit(4 * V)>(high) & static_cast<std::uint8_t>(kMask));
    }
  }

  int low_;
  Bytes<4 * L> codes_;      // of a table, by index, once for every 16 bytes; else the least code
  Bytes<4 * L> distances_;  // what is above the least code of these
};

}  // namespace strata::tensor
