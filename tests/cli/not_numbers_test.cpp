// SPDX-License-Identifier: Apache-2.0
#include "cli/not_numbers.h"

#include <gtest/gtest.h>

#include <limits>

namespace strata::cli {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool numbers(std::vector<float> logits) { return are_numbers(logits); }

TEST(AreNumbers, RefusesNanAndInfinity) {
  EXPECT_FALSE(numbers({1, std::numeric_limits<float>::quiet_NaN(), 2}));
  EXPECT_FALSE(numbers({1, kInfinity}));
  EXPECT_FALSE(numbers({-kInfinity, -kInfinity}));
}

TEST(AreNumbers, TakesImpossibleTokens) {
  EXPECT_TRUE(numbers({0, -3.5F, -kInfinity}));
  EXPECT_TRUE(numbers({std::numeric_limits<float>::max()}));
}

}  // namespace
}  // namespace strata::cli
