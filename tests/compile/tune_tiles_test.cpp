// SPDX-License-Identifier: Apache-2.0
#include "compile/tune_tiles.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ir/text.h"
#include "ops/register.h"
#include "schedule/schedule_text.h"

namespace strata::compile {
namespace {

// A product that stands twice, one with a map behind it, and one of a row.
constexpr const char* kText = R"(module m {
  symbol seq in 2..512
  func @main(%x: f32[seq, 512], %y: f32[seq, 384], %r: f32[1, 512]) {
    %w = weight "w" : f32[384, 512]
    %v = weight "v" : f32[512, 384]
    %0 = matmul_nt(%x, %w) : f32[seq, 384]
    %1 = add(%0, %y) : f32[seq, 384]
    %2 = matmul_nt(%1, %v) : f32[seq, 512]
    %3 = matmul_nt(%2, %w) : f32[seq, 384]
    %4 = matmul_nt(%r, %w) : f32[1, 384]
    return %3, %4
  }
}
)";

// Of a machine that the test's own is not: nothing is run.
class TuneTiles : public testing::Test {
 protected:
  TuneTiles()
      : machine_((ops::register_all(), machine::load("avx512-zen5"))), source_(ir::parse_module(kText, "test")) {}

  std::vector<codegen::PlannedVersion> plan() const {
    vectorize::Version version{"test", nullptr, {"main"}};
    version.steps = {{1, {{"seq", 100}}}, {10, {{"seq", 512}}}};
    return plan_versions(source_, {version}, context_);
  }

  std::string text(const std::vector<codegen::PlannedVersion>& planned) const {
    return schedule::to_text(planned[0].schedule, machine_);
  }

  plan::Tuning tune(std::vector<codegen::PlannedVersion>& planned, const Measure& measure) {
    return tune_tiles(planned, context_, {"seq"}, known_, measure);
  }

  // One candidate is twice as fast as all others.
  static Rounds won_by(const Contest& contest, std::size_t winner) {
    Rounds rounds(contest.symbols.size(), std::vector<double>(kFewestRounds, 2e-3));
    rounds.at(winner).assign(kFewestRounds, 1e-3);
    return rounds;
  }

  static Rounds never(const Contest&) {
    ADD_FAILURE() << "nothing is left to measure";
    return {};
  }

  machine::Machine machine_;
  ir::Module source_;
  PassContext context_{machine_, {}, {}, {}, 1, 2};
  Records known_;
};

TEST_F(TuneTiles, EachKindOfRegionIsAContest) {
  std::vector<Contest> contests;
  std::vector<codegen::PlannedVersion> planned = plan();
  const std::string before = text(planned);
  const plan::Tuning tuning = tune(planned, [&](const Contest& contest) {
    contests.push_back(contest);
    return won_by(contest, 0);
  });
  EXPECT_EQ(text(planned), before) << "prediction had the fastest: nothing changes";
  ASSERT_GE(contests.size(), 2U);
  EXPECT_EQ(tuning.regions, std::ssize(contests));
  EXPECT_EQ(tuning.predicted, tuning.regions);
  EXPECT_EQ(tuning.left, 0);
  EXPECT_EQ(known_.size(), contests.size());
  std::int64_t candidates = 0;
  for (const Contest& contest : contests) {
    candidates += std::ssize(contest.symbols);
    EXPECT_GE(contest.symbols.size(), 2U);
    EXPECT_LE(contest.symbols.size(), kCandidates);
    EXPECT_EQ(contest.units.size(), contest.symbols.size());
    EXPECT_EQ(contest.sizes, std::vector<std::int64_t>{512}) << "those of the step that takes longest";
    EXPECT_EQ(contest.threads, 2);
    EXPECT_TRUE(std::ranges::any_of(contest.parameters, &Contest::Memory::is_streamed)) << "the weight";
    EXPECT_FALSE(std::ranges::all_of(contest.parameters, &Contest::Memory::is_streamed));
  }
  EXPECT_EQ(tuning.candidates, candidates);
  EXPECT_NEAR(contests.back().share, 1, 1e-9) << "the last one gets all the time that is left";
  EXPECT_LT(contests.front().share, 0.99);
}

TEST_F(TuneTiles, TheFastestTakesThePlaceOfThePredictedOne) {
  std::vector<codegen::PlannedVersion> planned = plan();
  const std::string before = text(planned);
  plan::Tuning tuning = tune(planned, [](const Contest& contest) { return won_by(contest, 1); });
  const std::string tuned = text(planned);
  EXPECT_NE(tuned, before);
  EXPECT_EQ(tuning.predicted, 0);
  EXPECT_GE(tuning.regions, 2);

  std::vector<codegen::PlannedVersion> again = plan();
  EXPECT_EQ(tune(again, never), tuning) << "what is known isn't measured again";
  EXPECT_EQ(text(again), tuned);

  std::vector<codegen::PlannedVersion> untuned = plan();
  EXPECT_EQ(text(untuned), before) << "what was measured is nothing to a plan that doesn't ask for it";
}

TEST_F(TuneTiles, WhatThereIsNoTimeForStaysAsPredicted) {
  std::vector<codegen::PlannedVersion> planned = plan();
  const std::string before = text(planned);
  int asked = 0;
  const plan::Tuning none = tune(planned, [&](const Contest&) { return ++asked, Rounds(); });
  EXPECT_EQ(asked, 1) << "nor is there for the next one";
  EXPECT_EQ(none.regions, 0);
  EXPECT_GE(none.left, 2);
  EXPECT_EQ(text(planned), before);
  EXPECT_TRUE(known_.empty());
  asked = 0;
  const plan::Tuning first =
      tune(planned, [&](const Contest& contest) { return ++asked == 1 ? won_by(contest, 1) : Rounds(); });
  EXPECT_EQ(first.regions, 1);
  EXPECT_EQ(first.left, none.left - 1);
  EXPECT_EQ(known_.size(), 1U);
}

TEST_F(TuneTiles, ARecordOfNoCandidateIsAsNone) {
  std::vector<codegen::PlannedVersion> planned = plan();
  tune(planned, [](const Contest& contest) { return won_by(contest, 1); });
  for (auto& [key, choice] : known_) choice = "1x2x3";
  planned = plan();
  int measured = 0;
  tune(planned, [&](const Contest& contest) { return ++measured, won_by(contest, 1); });
  EXPECT_EQ(measured, std::ssize(known_));
}

TEST_F(TuneTiles, OtherTeamsAreMeasuredForThemselves) {
  std::vector<codegen::PlannedVersion> planned = plan();
  tune(planned, [](const Contest& contest) { return won_by(contest, 0); });
  const std::size_t before = known_.size();
  context_.threads = 1;
  planned = plan();
  tune(planned, [](const Contest& contest) { return won_by(contest, 0); });
  EXPECT_GT(known_.size(), before);
}

}  // namespace
}  // namespace strata::compile
