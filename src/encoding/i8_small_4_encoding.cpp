// SPDX-License-Identifier: Apache-2.0
// Bytes in 4 bits: codes of a quantised matrix that follow one another, such as 0 to 15 or -8 to 7.
#include "encoding/codes.h"
#include "tensor/encoding/i8_small_4.h"

namespace strata::encoding {

const Encoding& i8_small_4_encoding();

// Two masks and a shift decode four vectors of words, on other ports than the multiply-adds have.
const Encoding& i8_small_4_encoding() {
  static const Encoding kEncoding = code_range_encoding<tensor::I8Small4>("i8_small_4", "I8Small4", 0.3);
  return kEncoding;
}

}  // namespace strata::encoding
