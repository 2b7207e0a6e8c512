// SPDX-License-Identifier: Apache-2.0
#include "blocks/quantise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "blocks/decode.h"
#include "blocks/own_format.h"
#include "tensor/vec.h"

namespace strata::blocks {
namespace {

constexpr std::int64_t kBlocks = 40;

std::vector<float> normal(const Format& format, float deviation, unsigned seed = 3) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<std::size_t>(kBlocks * format.elements));
  for (float& value : values) {  // of twelve uniform ones: the same on every machine
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<float>(random()) / 4294967296.0F;
    value = deviation * sum;
  }
  return values;
}

std::vector<std::byte> quantised(const Format& format, const std::vector<float>& values) {
  const auto count = static_cast<std::int64_t>(values.size()) / format.elements;
  std::vector<std::byte> bytes(static_cast<std::size_t>(count * format.bytes), std::byte{0xA5});
  EXPECT_TRUE(quantise(format, values.data(), count, bytes.data()));
  return bytes;
}

std::vector<float> restored(const Format& format, const std::vector<float>& values) {
  const std::vector<std::byte> bytes = quantised(format, values);
  std::vector<float> result(values.size());
  decode(format, bytes.data(), static_cast<std::int64_t>(values.size()) / format.elements, result.data());
  return result;
}

bool is_taken(const Format& format, std::vector<float> values) {
  values.resize(static_cast<std::size_t>(format.elements));
  std::vector<std::byte> bytes(static_cast<std::size_t>(format.bytes));
  return quantise(format, values.data(), 1, bytes.data());
}

double squared_error(const std::vector<float>& a, const std::vector<float>& b, std::size_t first, std::size_t count) {
  double sum = 0;
  for (std::size_t i = first; i < first + count; ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum;
}

// Signal to noise in decibels.
double quality(const Format& format, const std::vector<float>& values) {
  const std::vector<float> zeros(values.size());
  return 10 * std::log10(squared_error(values, zeros, 0, values.size()) /
                         squared_error(values, restored(format, values), 0, values.size()));
}

// A group by the scale that makes its largest number the largest code.
std::vector<float> by_largest(const std::vector<float>& values, std::size_t group) {
  std::vector<float> result(values.size());
  for (std::size_t g = 0; g < values.size(); g += group) {
    float most = 0;
    for (std::size_t i = 0; i < group; ++i) most = std::max(most, std::abs(values[g + i]));
    const auto scale = static_cast<float>(tensor::f16(most / 127));
    for (std::size_t i = 0; i < group && scale > 0; ++i) {
      result[g + i] = scale * std::clamp(std::nearbyint(values[g + i] / scale), -127.0F, 127.0F);
    }
  }
  return result;
}

const std::vector<std::int64_t> kRows = {256, 384, 192, 96, 48};

TEST(OwnFormat, BlocksDivideRows) {
  for (const std::string type : {"q8", "q4"}) {
    EXPECT_TRUE(is_own_type(type));
    for (const std::int64_t row : {1024, 384, 192, 96, 48, 16}) {
      const Format* const format = own_format(type, row);
      ASSERT_NE(format, nullptr) << row;
      EXPECT_EQ(row % format->elements, 0);
      EXPECT_LE(format->elements, kMaxElements);
      EXPECT_LE(format->groups(), kMaxGroups);
    }
    EXPECT_EQ(own_format(type, 24), nullptr);
  }
  EXPECT_EQ(own_format("q8", 1024)->elements, 128);
  EXPECT_EQ(own_format("q4", 1024)->elements, 256);
  EXPECT_FALSE(is_own_type("f16"));
  EXPECT_EQ(own_format("keep", 256), nullptr);
}

TEST(Quantise, EightBitsAreNeverWorseThanByTheLargest) {
  for (const std::int64_t row : kRows) {
    const Format& format = *own_format("q8", row);
    for (const float deviation : {1.0F, 0.02F, 3e-6F, 1e5F}) {
      const std::vector<float> values = normal(format, deviation);
      const std::vector<float> found = restored(format, values);
      const auto group = static_cast<std::size_t>(format.group);
      const std::vector<float> usual = by_largest(values, group);
      double sum = 0, usual_sum = 0;
      for (std::size_t g = 0; g < values.size(); g += group) {
        const double error = squared_error(values, found, g, group), other = squared_error(values, usual, g, group);
        EXPECT_LE(error, other * (1 + 1e-4)) << format.elements << " " << deviation;
        sum += error, usual_sum += other;
      }
      const bool has_choice = deviation > 1e-3F;  // among scales in f16 near the usual one
      if (has_choice) EXPECT_LT(sum, 0.99 * usual_sum) << format.elements << " " << deviation;
    }
  }
}

// Bits for a weight: 8.125 and 4.3125 of the largest blocks. The dB of a codebook and scales without rounding are 22.8.
TEST(Quantise, LeavesLittleNoise) {
  EXPECT_GT(quality(*own_format("q8", 128), normal(*own_format("q8", 128), 0.02F)), 43);
  for (const std::int64_t row : {256, 384, 192, 96}) {
    const Format& format = *own_format("q4", row);
    EXPECT_GT(quality(format, normal(format, 0.02F)), 22.5) << row;
    EXPECT_GT(quality(format, normal(format, 300)), 22.5) << row;
  }
  EXPECT_GT(quality(*own_format("q4", 16), normal(*own_format("q4", 16), 0.02F)), 23);
}

TEST(Quantise, WhatHasCodesIsExact) {
  for (const std::string type : {"q8", "q4"}) {
    for (const std::int64_t row : kRows) {
      const Format& format = *own_format(type, row);
      const std::vector<std::int8_t> codes = numbers_of(format.codes);
      std::mt19937 random(5);
      std::vector<float> values(static_cast<std::size_t>(kBlocks * format.elements));
      for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t item = i % static_cast<std::size_t>(format.elements), group = item / format.group;
        const bool is_first = item % static_cast<std::size_t>(format.group) == 0;
        const int code = is_first ? -127 : std::max(-127, int{codes[random() % codes.size()]});
        const int multiple = !format.scale.integers || group == 0 ? 127 : 100 - static_cast<int>(group);
        values[i] = std::ldexp(static_cast<float>(code * multiple), -20);
      }
      EXPECT_EQ(restored(format, values), values) << type << " " << format.elements;
    }
  }
}

TEST(Quantise, ZerosTinyAndConstantBlocks) {
  for (const std::string type : {"q8", "q4"}) {
    for (const std::int64_t row : kRows) {
      const Format& format = *own_format(type, row);
      const auto count = static_cast<std::size_t>(format.elements);
      const auto all = [&](float value) { return std::vector<float>(count, value); };
      EXPECT_EQ(restored(format, all(0)), all(0));
      EXPECT_EQ(restored(format, all(-0.0F)), all(0));
      for (const float tiny : {std::numeric_limits<float>::denorm_min(), 1e-40F, 1e-12F}) {
        for (const float value : restored(format, all(tiny))) EXPECT_LE(std::abs(value), 2 * tiny);
      }
      for (const float value : restored(format, all(0.3F))) EXPECT_NEAR(value, 0.3F, 0.3F * 0.005F) << type << row;
      for (const float value : restored(format, all(-0.3F))) EXPECT_NEAR(value, -0.3F, 0.3F * 0.005F) << type << row;
      std::vector<float> one = all(0);
      one[5] = -7;
      const std::vector<float> found = restored(format, one);
      EXPECT_NEAR(found[5], -7, type == "q8" ? 0.03 : 0.07);  // q4's codebook has no zero: the others weigh a little
    }
  }
}

TEST(Quantise, RefusesWhatHasNoScale) {
  for (const std::string type : {"q8", "q4"}) {
    for (const std::int64_t row : kRows) {
      const Format& format = *own_format(type, row);
      EXPECT_TRUE(is_taken(format, {1, 2, -3}));
      EXPECT_FALSE(is_taken(format, {1, std::numeric_limits<float>::quiet_NaN()}));
      EXPECT_FALSE(is_taken(format, {1, std::numeric_limits<float>::infinity()}));
      EXPECT_FALSE(is_taken(format, {-std::numeric_limits<float>::infinity()}));
      EXPECT_FALSE(is_taken(format, {std::numeric_limits<float>::max()}));
    }
  }
}

TEST(Quantise, BlocksAreByThemselves) {
  const Format& format = *own_format("q4", 256);
  const std::vector<float> values = normal(format, 0.02F);
  const std::vector<std::byte> all = quantised(format, values);
  for (std::int64_t block = 0; block < kBlocks; ++block) {
    const auto first = values.begin() + block * format.elements;
    const std::vector<std::byte> one = quantised(format, {first, first + format.elements});
    EXPECT_TRUE(std::equal(one.begin(), one.end(), all.begin() + block * format.bytes));
  }
}

}  // namespace
}  // namespace strata::blocks
