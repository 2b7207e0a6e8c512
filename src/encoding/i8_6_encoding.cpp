// SPDX-License-Identifier: Apache-2.0
// Bytes in 6 bits: codes of a quantised matrix that are within 64 whole numbers in a row.
#include "encoding/codes.h"
#include "tensor/encoding/i8_6.h"

namespace strata::encoding {

const Encoding& i8_6_encoding();

// 13 shifts, masks and unions decode eight vectors of words; some go to the ports of the multiply-adds.
const Encoding& i8_6_encoding() {
  static const Encoding kEncoding = code_range_encoding<tensor::I8In6>("i8_6", "I8In6", 0.75);
  return kEncoding;
}

}  // namespace strata::encoding
