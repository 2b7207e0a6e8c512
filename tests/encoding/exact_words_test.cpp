// SPDX-License-Identifier: Apache-2.0
#include "encoding/exact_words.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "tensor/vec.h"

namespace strata::encoding {
namespace {

std::uint32_t word(DType from, std::uint32_t bits, DType to) {
  std::uint32_t found = 0;
  const auto element = std::as_bytes(std::span(&bits, 1)).first(static_cast<std::size_t>(dtype_size(from)));
  exact_words(from, element, to, std::span(&found, 1));
  return found;
}

float as_float(DType from, std::uint32_t bits) {
  float found = 0;
  to_floats(from, std::as_bytes(std::span(&bits, 1)).first(static_cast<std::size_t>(dtype_size(from))),
            std::span(&found, 1));
  return found;
}

template <class T>
T from_bits(std::uint32_t bits) {
  T value;
  value.bits = static_cast<std::uint16_t>(bits);
  return value;
}

// What rounding to the type and back keeps is a number of it.
template <class T>
std::uint32_t expected(float value) {
  const T rounded(value);
  return static_cast<float>(rounded) == value ? rounded.bits : kNoWord;
}

// Every number of T as itself, as one of Other, and found again in f32.
template <class T, class Other>
void check_all(DType type, DType other) {
  for (std::uint32_t bits = 0; bits < 1 << 16; ++bits) {
    const float value = static_cast<float>(from_bits<T>(bits));
    if (std::isnan(value)) continue;
    ASSERT_EQ(as_float(type, bits), value) << bits;
    ASSERT_EQ(word(type, bits, type), bits);
    ASSERT_EQ(word(type, bits, other), expected<Other>(value)) << bits;
    ASSERT_EQ(word(DType::kF32, std::bit_cast<std::uint32_t>(value), type), bits) << bits;
  }
}

TEST(ExactWords, OfEveryF16) { check_all<tensor::f16, tensor::bf16>(DType::kF16, DType::kBF16); }
TEST(ExactWords, OfEveryBf16) { check_all<tensor::bf16, tensor::f16>(DType::kBF16, DType::kF16); }

// One bit beyond what the narrower type has, at every exponent.
TEST(ExactWords, OfF32) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const int zeros = static_cast<int>(random() % 24);
    const std::uint32_t bits = static_cast<std::uint32_t>(random()) >> zeros << zeros;
    const float value = std::bit_cast<float>(bits);
    if (std::isnan(value)) continue;
    ASSERT_EQ(word(DType::kF32, bits, DType::kF16), expected<tensor::f16>(value)) << bits;
    ASSERT_EQ(word(DType::kF32, bits, DType::kBF16), expected<tensor::bf16>(value)) << bits;
    ASSERT_EQ(as_float(DType::kF32, bits), value);
  }
}

// A NaN keeps its payload or isn't held.
TEST(ExactWords, OfNan) {
  EXPECT_EQ(word(DType::kF16, 0x7e00, DType::kBF16), 0x7fc0u);
  EXPECT_EQ(word(DType::kF16, 0x7e01, DType::kBF16), kNoWord);
  EXPECT_EQ(word(DType::kF32, 0x7fc02000, DType::kF16), 0x7e01u);
  EXPECT_EQ(word(DType::kF32, 0x7fc00001, DType::kF16), kNoWord);
}

TEST(ExactWords, OfBytesAreTheirBits) {
  for (std::uint32_t bits = 0; bits < 256; ++bits) EXPECT_EQ(word(DType::kI8, bits, DType::kI8), bits);
}

}  // namespace
}  // namespace strata::encoding
