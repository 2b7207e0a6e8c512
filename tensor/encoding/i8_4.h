// SPDX-License-Identifier: Apache-2.0
// Codes of int8 in 4 bits: an index into a table of the 16 that the matrix has at most.
#pragma once

#include "tensor/encoding.h"

namespace strata::tensor {

// A group has eight values of k, four bytes of each lane: the lower four bits of byte j are the index of value j, the
// upper ones that of value 4 + j. So it decodes to two vectors of quads as they lie in B<L@n,4@k>. There are no
// exceptions.
struct I8In4 {
  using Number = std::int8_t;
  static constexpr bool kPairs = false;
  static constexpr bool kQuads = true;
  static constexpr std::int64_t kDepth = 8;
  static constexpr std::int64_t bytes(std::int64_t lanes) { return 4 * lanes; }

  template <int L>
  class Decoder;
};

template <int L>
class I8In4::Decoder {
 public:
  using Quads = Vec<std::int32_t, L>;

  // What is decoded is the code minus `low`.
  explicit Decoder(const EncodedHeader& header, int low = 0) {
    for (int i = 0; i < 4 * L; ++i) codes_[i] = static_cast<std::uint8_t>(header.table[i % 16] - low);
  }

  // Values 4 V to 4 V + 3 of k.
  template <int V>
  STRATA_INLINE Quads quads(const Encoded<I8In4>* group) const {
    Bytes<4 * L> indices;
    __builtin_memcpy(&indices, group, sizeof(indices));
    return bit_cast<Quads>(look_up<4 * L>(codes_, (V == 0 ? indices : indices >> 4) & std::uint8_t{15}));
  }

  template <class F>
  STRATA_INLINE void each(const Encoded<I8In4>* group, F&& f) const {
    f(Lanes<0>{}, quads<0>(group));
    f(Lanes<1>{}, quads<1>(group));
  }

  std::int8_t element(const Encoded<I8In4>* group, std::int64_t i, std::int64_t lane) const {
    const int index = group[4 * lane + i % 4].byte >> i / 4 * 4 & 15;
    return static_cast<std::int8_t>(codes_[index]);
  }

 private:
  Bytes<4 * L> codes_;  // by index, once for every 16 bytes
};

}  // namespace strata::tensor
