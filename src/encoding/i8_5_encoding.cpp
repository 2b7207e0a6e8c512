// SPDX-License-Identifier: Apache-2.0
// Bytes in 5 bits: codes of a quantised matrix that are within 32 whole numbers in a row.
#include "encoding/codes.h"
#include "tensor/encoding/i8_5.h"

namespace strata::encoding {

const Encoding& i8_5_encoding();

// 27 shifts, masks and unions decode 16 vectors of words; some go to the ports of the multiply-adds.
const Encoding& i8_5_encoding() {
  static const Encoding kEncoding = code_range_encoding<tensor::I8In5>("i8_5", "I8In5", 0.75);
  return kEncoding;
}

}  // namespace strata::encoding
