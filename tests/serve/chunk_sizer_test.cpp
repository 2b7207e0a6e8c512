// SPDX-License-Identifier: Apache-2.0
#include "serve/chunk_sizer.h"

#include <gtest/gtest.h>

namespace strata::serve {
namespace {

// Steps of a machine that takes `token_s` for a token of a prompt, and `decode_s` for one that is made.
std::int64_t settled(double token_s, double decode_s, std::int64_t decoding, std::int64_t most = 512) {
  ChunkSizer sizer(most);
  sizer.add(decoding, 0, decode_s * static_cast<double>(decoding));
  for (int i = 0; i < 100; ++i) {
    const auto tokens = static_cast<double>(sizer.size());
    sizer.add(decoding, sizer.size(), decode_s * static_cast<double>(decoding) + token_s * tokens);
  }
  return sizer.size();
}

TEST(ChunkSizer, ChunkTakesAboutAsLongAsTheDecodingBesideIt) {
  EXPECT_EQ(settled(1e-3, 0.1, 1), 64);
  EXPECT_EQ(settled(1e-3, 0.1, 4), 256);
  EXPECT_EQ(settled(1e-2, 0.2, 1), 16);
}

TEST(ChunkSizer, StaysWithinItsBounds) {
  EXPECT_EQ(settled(1, 0.1, 1), 16);
  EXPECT_EQ(settled(1e-9, 0.1, 1), 512);
  EXPECT_EQ(settled(1, 0.1, 1, 8), 8);
}

// Sequences that decode together take hardly longer than one of them.
TEST(ChunkSizer, KnowsWhatSoManySequencesTakeTogether) {
  ChunkSizer sizer(512);
  sizer.add(1, 0, 0.1);
  sizer.add(8, 0, 0.12);
  sizer.add(8, 64, 0.12 + 0.05);
  EXPECT_EQ(sizer.size(), 128);
  sizer.add(8, 128, 0.12 + 0.13);
  EXPECT_EQ(sizer.size(), 64);
  sizer.add(4, 64, 0.1 + 0.11);  // as one does: of four nothing is known
  EXPECT_EQ(sizer.size(), 32);
}

TEST(ChunkSizer, KnowsNothingWithoutDecoding) {
  ChunkSizer sizer(512);
  for (int i = 0; i < 10; ++i) sizer.add(0, 512, 100);
  for (int i = 0; i < 10; ++i) sizer.add(1, 64, 100);  // what decoding takes is not known yet
  EXPECT_EQ(sizer.size(), 64);
}

TEST(ChunkSizer, EndOfAPromptSaysNothing) {
  ChunkSizer sizer(512);
  sizer.add(1, 0, 0.1);
  for (int i = 0; i < 10; ++i) sizer.add(1, 3, 0.1);
  EXPECT_EQ(sizer.size(), 64);
}

}  // namespace
}  // namespace strata::serve
