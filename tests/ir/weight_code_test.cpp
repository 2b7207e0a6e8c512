// SPDX-License-Identifier: Apache-2.0
#include "ir/weight_code.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace strata::ir {
namespace {

bool has_code(const WeightCode& code, int exponent) {
  return std::ranges::find(code.exponents, exponent) != code.exponents.end();
}

ElementCounts with_exponents(const std::map<int, std::int64_t>& counts) {
  ElementCounts all;
  for (const auto& [exponent, count] : counts) {
    all.bf16_exponents[static_cast<std::size_t>(exponent)] = count;
    all.elements += count;
  }
  return all;
}

TEST(WeightCode, OfBf16GoesToTheMostFrequentExponentsAndToZero) {
  std::map<int, std::int64_t> counts = {{200, 1000}};
  for (int i = 100; i < 120; ++i) counts[i] = i;
  const WeightCode code = weight_code(with_exponents(counts), DType::kBF16);
  EXPECT_EQ(code.exponents[0], 0);
  EXPECT_TRUE(has_code(code, 200));
  for (int i = 106; i < 120; ++i) EXPECT_TRUE(has_code(code, i)) << i;
  for (int i = 100; i < 106; ++i) EXPECT_FALSE(has_code(code, i)) << i;
  EXPECT_EQ(code.exceptions, 100 + 101 + 102 + 103 + 104 + 105);
}

// Infinities have an exponent as others do, and zeros are no exceptions however few.
TEST(WeightCode, OfSpecialValues) {
  std::map<int, std::int64_t> counts = {{255, 3}};
  EXPECT_TRUE(has_code(weight_code(with_exponents(counts), DType::kBF16), 255));
  EXPECT_EQ(weight_code(with_exponents(counts), DType::kBF16).exceptions, 0);
  for (int i = 120; i < 135; ++i) counts[i] = 10;
  counts[0] = 1;
  EXPECT_EQ(weight_code(with_exponents(counts), DType::kBF16).exceptions, 3);
}

TEST(WeightCode, NumbersOfNoneOfTheTypesAreExceptions) {
  ElementCounts counts = with_exponents({{100, 7}});
  counts.elements = 20;
  counts.small_f16 = 11;
  EXPECT_EQ(weight_code(counts, DType::kBF16).exceptions, 13);
  EXPECT_EQ(weight_code(counts, DType::kF16).exceptions, 9);
}

TEST(WeightCode, PaysWithFewExceptions) {
  std::map<int, std::int64_t> counts;
  for (int i = 100; i < 115; ++i) counts[i] = 1024;
  EXPECT_TRUE(is_codable(with_exponents(counts), DType::kBF16));
  counts[90] = 15;
  EXPECT_TRUE(is_codable(with_exponents(counts), DType::kBF16));
  counts[91] = 1;
  EXPECT_FALSE(is_codable(with_exponents(counts), DType::kBF16));
  ElementCounts f16;
  f16.elements = 2048;
  f16.small_f16 = 2046;
  EXPECT_TRUE(is_codable(f16, DType::kF16));
  f16.small_f16 = 2045;
  EXPECT_FALSE(is_codable(f16, DType::kF16));
}

TEST(WeightCode, CountsOfTwoTensorsAdd) {
  ElementCounts sum = with_exponents({{100, 7}, {101, 2}});
  sum.small_f16 = 3;
  ElementCounts other = with_exponents({{100, 1}});
  other.small_f16 = 1;
  sum += other;
  EXPECT_EQ(sum.elements, 10);
  EXPECT_EQ(sum.bf16_exponents[100], 8);
  EXPECT_EQ(sum.bf16_exponents[101], 2);
  EXPECT_EQ(sum.small_f16, 4);
}

TEST(WeightCode, ExceptionsTakeAListPerPanel) {
  const TensorType type{DType::kBF16, {33, 8}, {{{16, 0}, {2, 1}}, true}, {}};
  EXPECT_EQ(exceptions_bytes(type, 0), 0);
  EXPECT_EQ(exceptions_bytes(type, 5), 4 * 4 + 5 * 8);
  EXPECT_EQ(max_bytes(type), 64 + 3 * 16 * 8 * 3 / 2);
  const TensorType words{DType::kF32, {33, 40}, {{{16, 0}}, true}, {}};
  EXPECT_EQ(exceptions_bytes(words, 5), 4 * 4 + 5 * 8);
  EXPECT_EQ(max_bytes(words), 64 + 3 * 16 * 64 * 15 / 8) << "groups of 32";
}

TEST(WeightCode, TheNumbersInMemoryAreThoseOfTheCode) {
  const auto stored = [](DType dtype, const Layout& layout) { return stored_dtype({dtype, {32, 32}, layout, {}}); };
  EXPECT_EQ(stored(DType::kF32, {{{16, 0}, {2, 1}}, true}), DType::kBF16);
  EXPECT_EQ(stored(DType::kF32, {{{16, 0}}, true}), DType::kF16);
  EXPECT_EQ(stored(DType::kF32, {{{16, 0}}, false}), DType::kF32);
}

}  // namespace
}  // namespace strata::ir
