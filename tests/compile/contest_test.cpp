// SPDX-License-Identifier: Apache-2.0
#include "compile/contest.h"

#include <gtest/gtest.h>

namespace strata::compile {
namespace {

TEST(FastestCandidate, IsTheOneThatIsFasterInMostRounds) {
  EXPECT_EQ(fastest_candidate({{2, 2, 2, 2, 2}, {1, 1, 1, 1, 1}}), 1) << "a slow predicted best loses";
  EXPECT_EQ(fastest_candidate({{2, 2, 2, 2, 2}, {1.5, 1.5, 1.5, 1.5, 1.5}, {1, 1, 1, 1, 1}}), 2);
  EXPECT_EQ(fastest_candidate({{1, 1, 1, 1, 1}, {2, 2, 2, 2, 2}}), 0);
  EXPECT_EQ(fastest_candidate({{4, 2, 8, 2, 4}, {2, 1, 4, 1, 2}}), 1) << "rounds differ, but not who is faster in them";
}

TEST(FastestCandidate, IsSaidWithMedians) {
  EXPECT_EQ(median_seconds({{3, 1, 2}, {9, 9, 4}}), (std::vector<double>{2, 9}));
  EXPECT_EQ(median_seconds({{}}), std::vector<double>{0});
}

TEST(FastestCandidate, IsThePredictedOneUnlessTheDifferenceIsMoreThanNoise) {
  EXPECT_EQ(fastest_candidate({{2, 2, 2, 2, 2, 2, 2, 2}, {1, 1, 1, 1, 1, 3, 3, 3}}), 0) << "in five rounds of eight";
  EXPECT_EQ(fastest_candidate({{1, 1, 1, 1, 1}, {.995, .995, .995, .995, .995}}), 0) << "by less than a hundredth";
  EXPECT_EQ(fastest_candidate({{2, 2, 2, 2}, {1, 1, 1, 1}}), 0) << "too few rounds";
  EXPECT_EQ(fastest_candidate({}), 0);
  EXPECT_EQ(fastest_candidate({{1, 1, 1, 1, 1}}), 0);
}

}  // namespace
}  // namespace strata::compile
