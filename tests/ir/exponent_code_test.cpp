// SPDX-License-Identifier: Apache-2.0
#include "ir/exponent_code.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace strata::ir {
namespace {

bool has_code(const ExponentCode& code, int exponent) {
  return std::ranges::find(code.exponents, exponent) != code.exponents.end();
}

TEST(ExponentCode, GoesToTheMostFrequentAndToZero) {
  ExponentCounts counts{};
  for (std::size_t i = 100; i < 120; ++i) counts[i] = static_cast<std::int64_t>(i);
  counts[200] = 1000;
  const ExponentCode code = exponent_code(counts);
  EXPECT_EQ(code.exponents[0], 0);
  EXPECT_TRUE(has_code(code, 200));
  for (int i = 106; i < 120; ++i) EXPECT_TRUE(has_code(code, i)) << i;
  for (int i = 100; i < 106; ++i) EXPECT_FALSE(has_code(code, i)) << i;
  EXPECT_EQ(code.exceptions, 100 + 101 + 102 + 103 + 104 + 105);
}

// Infinities have an exponent as others do, and zeros are no exceptions however few.
TEST(ExponentCode, OfSpecialValues) {
  ExponentCounts counts{};
  counts[255] = 3;
  EXPECT_TRUE(has_code(exponent_code(counts), 255));
  EXPECT_EQ(exponent_code(counts).exceptions, 0);
  for (std::size_t i = 120; i < 135; ++i) counts[i] = 10;
  counts[0] = 1;
  EXPECT_EQ(exponent_code(counts).exceptions, 3);
}

TEST(ExponentCode, PaysWithFewExceptions) {
  ExponentCounts counts{};
  for (std::size_t i = 100; i < 115; ++i) counts[i] = 1024;
  EXPECT_TRUE(is_codable(counts));
  counts[90] = 15;
  EXPECT_TRUE(is_codable(counts));
  counts[91] = 1;
  EXPECT_FALSE(is_codable(counts));
}

TEST(ExponentCode, ExceptionsTakeAListPerPanel) {
  const TensorType type{DType::kBF16, {33, 8}, {{{16, 0}, {2, 1}}, true}, {}};
  EXPECT_EQ(exceptions_bytes(type, 0), 0);
  EXPECT_EQ(exceptions_bytes(type, 5), 4 * 4 + 5 * 8);
  EXPECT_EQ(max_bytes(type), 64 + 3 * 16 * 8 * 3 / 2);
}

}  // namespace
}  // namespace strata::ir
