// SPDX-License-Identifier: Apache-2.0
#include "text/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

namespace strata::text {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Everything off but what a test turns on.
SamplingParameters plain(std::uint64_t seed = 1) {
  return {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .repeat_penalty = 1, .repeat_last_n = 64, .seed = seed};
}

std::map<std::int32_t, double> frequencies(const SamplingParameters& parameters, const std::vector<float>& logits) {
  constexpr int kDraws = 40'000;
  Sampler sampler(parameters);
  std::map<std::int32_t, double> counts;
  for (int i = 0; i < kDraws; ++i) counts[sampler.sample(logits)] += 1.0 / kDraws;
  return counts;
}

const std::vector<float> kLogits = {std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};

TEST(Sampler, DrawsByProbability) {
  auto seen = frequencies(plain(), kLogits);
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(seen[i], std::exp(static_cast<double>(kLogits[i])), 0.01);
}

TEST(Sampler, TemperatureSharpens) {
  SamplingParameters parameters = plain();
  parameters.temperature = 0.5f;
  auto seen = frequencies(parameters, kLogits);
  EXPECT_NEAR(seen[0], 0.25 / (0.25 + 0.09 + 0.0225 + 0.0025), 0.01);
}

TEST(Sampler, TopKKeepsTheLikeliest) {
  SamplingParameters parameters = plain();
  parameters.top_k = 2;
  auto seen = frequencies(parameters, kLogits);
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_NEAR(seen[0], 0.5 / 0.8, 0.01);
}

TEST(Sampler, TopPKeepsTheLikeliestThatReachIt) {
  SamplingParameters parameters = plain();
  parameters.top_p = 0.79f;
  EXPECT_EQ(frequencies(parameters, kLogits).size(), 2u);
  parameters.top_p = 0.81f;
  EXPECT_EQ(frequencies(parameters, kLogits).size(), 3u);
  parameters.top_p = 0;
  EXPECT_EQ(frequencies(parameters, kLogits).size(), 1u);
}

TEST(Sampler, MinPIsRelativeToTheLikeliest) {
  SamplingParameters parameters = plain();
  parameters.min_p = 0.29f;
  EXPECT_EQ(frequencies(parameters, kLogits).size(), 3u);
  parameters.min_p = 0.31f;
  EXPECT_EQ(frequencies(parameters, kLogits).size(), 2u);
}

TEST(Sampler, RepeatPenaltyLowersRecentTokens) {
  SamplingParameters parameters = plain();
  parameters.temperature = 0;
  parameters.repeat_penalty = 2;
  parameters.repeat_last_n = 2;
  Sampler sampler(parameters);
  const std::vector<float> logits = {3, 2, -1, -1.5f};
  EXPECT_EQ(sampler.sample(logits), 0);
  sampler.accept(0);
  EXPECT_EQ(sampler.sample(logits), 1);
  sampler.accept(1);
  EXPECT_EQ(sampler.sample(logits), 0);
  sampler.accept(3);
  EXPECT_EQ(sampler.sample(logits), 0) << "token 0 is no longer among the last two";
  sampler.accept(-5);
  sampler.accept(1000);
  EXPECT_EQ(sampler.sample(logits), 0);
}

TEST(Sampler, GreedyTakesTheLowestIdOfEquals) {
  SamplingParameters parameters = plain();
  for (const float temperature : {0.0f, -1.0f, kNaN}) {
    parameters.temperature = temperature;
    Sampler sampler(parameters);
    EXPECT_EQ(sampler.sample(std::vector<float>{1, 5, 5, 2}), 1);
  }
}

TEST(Sampler, OneSeedOneSequence) {
  const auto draw = [](std::uint64_t seed) {
    Sampler sampler(plain(seed));
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 12; ++i) ids.push_back(sampler.sample(kLogits));
    return ids;
  };
  EXPECT_EQ(draw(7), draw(7));
  EXPECT_NE(draw(7), draw(8));
  EXPECT_EQ(draw(42), (std::vector<std::int32_t>{1, 1, 1, 0, 2, 0, 1, 0, 0, 0, 0, 1}));
}

TEST(Sampler, NotANumberIsNeverChosen) {
  Sampler sampler(plain());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(sampler.sample(std::vector<float>{kNaN, 1, kNaN}), 1);
}

TEST(Sampler, ExtremeLogitsGiveSomeToken) {
  for (const SamplingParameters& parameters : {plain(), SamplingParameters{}}) {
    Sampler sampler(parameters);
    EXPECT_EQ(sampler.sample(std::vector<float>{1, kInfinity, 2}), 1);
    for (const auto& logits : {std::vector<float>{kNaN, kNaN}, std::vector<float>{-kInfinity, -kInfinity},
                               std::vector<float>{kInfinity, kInfinity}, std::vector<float>{0, 0}}) {
      const std::int32_t id = sampler.sample(logits);
      EXPECT_TRUE(id == 0 || id == 1);
    }
  }
}

// Of a token that was chosen so many times 1.5 is taken.
void expect_taken(const SamplingParameters& parameters, int times) {
  Sampler sampler(parameters);
  for (int i = 0; i < times; ++i) sampler.accept(0);
  EXPECT_EQ(sampler.sample(std::vector<float>{1.6F, 0}), 0);
  EXPECT_EQ(sampler.sample(std::vector<float>{1.4F, 0}), 1);
}

TEST(Sampler, PresencePenaltyIsTakenOnceAndFrequencyPenaltyEachTime) {
  SamplingParameters parameters = plain();
  parameters.temperature = 0;
  parameters.presence_penalty = 1.5F;
  expect_taken(parameters, 9);
  parameters.presence_penalty = 0;
  parameters.frequency_penalty = 0.5F;
  expect_taken(parameters, 3);
}

TEST(Sampler, PromptIsNoChoiceToBePenalized) {
  SamplingParameters parameters = plain();
  parameters.temperature = 0;
  parameters.presence_penalty = 2;
  Sampler sampler(parameters);
  sampler.accept_prompt(0);
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 0}), 0);
}

TEST(Sampler, BiasIsAdded) {
  SamplingParameters parameters = plain();
  parameters.temperature = 0;
  parameters.bias = {{0, -100.0F}, {7, 100.0F}};  // there is no token 7
  EXPECT_EQ(Sampler(parameters).sample(std::vector<float>{1, 0}), 1);
}

TEST(AreNumbers, RefusesNanAndInfinity) {
  EXPECT_FALSE(are_numbers(std::vector<float>{1, kNaN, 2}));
  EXPECT_FALSE(are_numbers(std::vector<float>{1, kInfinity}));
  EXPECT_FALSE(are_numbers(std::vector<float>{-kInfinity, -kInfinity}));
}

TEST(AreNumbers, TakesImpossibleTokens) {
  EXPECT_TRUE(are_numbers(std::vector<float>{0, -3.5F, -kInfinity}));
  EXPECT_TRUE(are_numbers(std::vector<float>{std::numeric_limits<float>::max()}));
}

}  // namespace
}  // namespace strata::text
