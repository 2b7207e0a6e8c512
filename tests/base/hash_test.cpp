// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

// The values that the xxHash specification gives for no bytes, with seed 0.
TEST(Hash, IsXxh3) {
  EXPECT_EQ(hex(hash64("")), "2d06800538d394c2");
  EXPECT_EQ(hash128("").hex(), "99aa06d3014798d86001c324468d497f");
}

TEST(Hash, PiecesGiveTheSameDigest) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>(i * 7);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{17}, std::size_t{1024}, text.size()}) {
    Hasher hasher;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      hasher.bytes(std::as_bytes(std::span(text)).subspan(at, std::min(piece, text.size() - at)));
    }
    EXPECT_EQ(hasher.digest64(), hash64(text)) << piece;
    EXPECT_EQ(hasher.digest128(), hash128(text)) << piece;
  }
}

TEST(Hash, FieldsDoNotRunTogether) {
  EXPECT_NE(Hasher().field("a").field("bc").digest64(), Hasher().field("ab").field("c").digest64());
  EXPECT_NE(Hasher().field("").digest64(), Hasher().digest64());
}

TEST(Hash, HexHasLeadingZeros) { EXPECT_EQ(hex(0xab), "00000000000000ab"); }

}  // namespace
}  // namespace strata
