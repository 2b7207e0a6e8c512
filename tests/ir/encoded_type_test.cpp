// SPDX-License-Identifier: Apache-2.0
// Types of encoded matrices.
#include <gtest/gtest.h>

#include "encoding/encoding.h"
#include "ir/type.h"

namespace strata::ir {
namespace {

TensorType encoded(DType dtype, Shape shape, const char* encoding) {
  return {dtype, std::move(shape), encoded_layout(*encoding::find_encoding(encoding), 16), {}};
}

TEST(EncodedType, HasTheLayoutThatPackagesRead) {
  for (const encoding::Encoding* encoding : encoding::all_encodings()) {
    for (const std::int64_t lanes : {4, 8, 16}) {
      EXPECT_EQ(encoded_layout(*encoding, lanes).text(), encoding::layout_text(*encoding, lanes));
    }
  }
}

TEST(EncodedType, ExceptionsTakeAListPerPanel) {
  const TensorType pairs = encoded(DType::kBF16, {33, 8}, "bf16_12");
  EXPECT_EQ(exceptions_bytes(pairs, 0), 0);
  EXPECT_EQ(exceptions_bytes(pairs, 5), 4 * 4 + 5 * 8);
  EXPECT_EQ(max_bytes(pairs), 64 + 3 * 16 * 8 * 3 / 2);
  const TensorType lanes = encoded(DType::kF32, {33, 40}, "f16_15");
  EXPECT_EQ(exceptions_bytes(lanes, 5), 4 * 4 + 5 * 8);
  EXPECT_EQ(max_bytes(lanes), 64 + 3 * 16 * 64 * 15 / 8) << "groups of 32";
}

TEST(EncodedType, TheNumbersInMemoryAreThoseOfTheEncoding) {
  EXPECT_EQ(stored_dtype(encoded(DType::kF32, {32, 32}, "bf16_12")), DType::kBF16);
  EXPECT_EQ(stored_bits(encoded(DType::kF32, {32, 32}, "bf16_12")), 12);
  EXPECT_EQ(stored_dtype(encoded(DType::kF32, {32, 32}, "f16_15")), DType::kF16);
  EXPECT_EQ(stored_bits(encoded(DType::kF32, {32, 32}, "f16_15")), 15);
  const TensorType plain{DType::kF32, {32, 32}, {{{16, 0}}}, {}};
  EXPECT_EQ(stored_dtype(plain), DType::kF32);
  EXPECT_EQ(stored_bits(plain), 32);
}

}  // namespace
}  // namespace strata::ir
