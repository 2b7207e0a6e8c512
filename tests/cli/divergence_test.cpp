// SPDX-License-Identifier: Apache-2.0
#include "cli/divergence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace strata::cli {
namespace {

// Logits with these probabilities, whatever is added to all of them.
std::vector<float> logits_of(const std::vector<double>& probabilities, double added) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p) + added));
  return logits;
}

TEST(Divergence, IsTheOtherModelsExpectationOfTheLogRatio) {
  Divergence divergence;
  divergence.add(logits_of({0.25, 0.75}, 3), logits_of({0.5, 0.5}, -1));
  EXPECT_NEAR(divergence.mean().value, 0.5 * std::log(0.5 / 0.25) + 0.5 * std::log(0.5 / 0.75), 1e-7);
  EXPECT_EQ(divergence.mean().error, 0);
}

TEST(Divergence, OfAModelFromItselfIsZero) {
  Divergence divergence;
  const std::vector<float> logits = {1, 2, -3, 100};
  divergence.add(logits, logits);
  EXPECT_EQ(divergence.mean().value, 0);
  EXPECT_EQ(divergence.same_top().value, 1);
}

TEST(Divergence, ATokenThatTheOtherModelRulesOutCountsNothing) {
  Divergence divergence;
  const float never = -std::numeric_limits<float>::infinity();
  divergence.add(std::vector<float>{0, 0}, std::vector<float>{0, never});
  EXPECT_NEAR(divergence.mean().value, std::log(2.0), 1e-12);
}

TEST(Divergence, QuantilesAreInterpolated) {
  Divergence divergence;
  const std::vector<float> even = {0, 0};
  std::vector<double> values;
  for (const float logit : {3.0F, 1.0F, 2.0F, 0.0F}) {
    divergence.add(std::vector<float>{logit, 0}, even);
    values.push_back(std::log((1 + std::exp(logit)) / 2) - logit / 2);
  }
  const std::vector<double> found = divergence.quantiles(std::vector<double>{0, 1, 0.5});
  EXPECT_NEAR(found[0], 0, 1e-12);
  EXPECT_NEAR(found[1], values[0], 1e-7);
  EXPECT_NEAR(found[2], (values[1] + values[2]) / 2, 1e-7);
  EXPECT_EQ(divergence.same_top().value, 1);
  divergence.add(std::vector<float>{0, 1}, even);
  EXPECT_EQ(divergence.same_top().value, 0.8);
}

TEST(Divergence, PerplexitiesOfTheSameTokensAreComparedInPairs) {
  const std::vector<double> losses = {1, 2, 6}, more = {1.5, 2.5, 6.5};
  EXPECT_NEAR(perplexity(losses).value, std::exp(3), 1e-12);
  EXPECT_NEAR(perplexity(losses).error, std::exp(3) * std::sqrt(14.0 / 3 / 2), 1e-12);
  const Estimate difference = perplexity_difference(more, losses);
  EXPECT_NEAR(difference.value, std::exp(3.5) - std::exp(3), 1e-12);
  EXPECT_NEAR(difference.error, (std::exp(3.5) - std::exp(3)) * std::sqrt(14.0 / 3 / 2), 1e-9);
}

}  // namespace
}  // namespace strata::cli
