// SPDX-License-Identifier: Apache-2.0
#include "tiles/tile_program.h"

#include <gtest/gtest.h>

#include <cmath>

#include "random_program.h"
#include "tests/sweep.h"

namespace strata::tiles {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(TileCandidates, AreTheSmallestTileOfEachTripCount) {
  for (const std::int64_t extent : {1, 2, 7, 64, 100, 516, 3072}) {
    for (const std::int64_t unit : {1, 6, 32}) {
      const std::int64_t units = (extent + unit - 1) / unit;
      std::vector<std::int64_t> expected;
      std::int64_t trips = 0;
      for (std::int64_t tile = 1; tile <= units; ++tile) {
        const std::int64_t now = (units + tile - 1) / tile;
        if (now != trips) expected.push_back(tile * unit);
        trips = now;
      }
      EXPECT_EQ(tile_candidates(extent, unit), expected) << extent << " in units of " << unit;
      EXPECT_LE(static_cast<double>(expected.size()), 2 * std::sqrt(static_cast<double>(units)) + 1);
    }
  }
}

TEST(Solve, AgreesWithAllChoicesOfRandomPrograms) {
  int infeasible = 0;
  for (unsigned seed = 0; seed < sweep_size(1000, 20000); ++seed) {
    const Program program = RandomProgram(seed).run();
    const std::optional<double> least = least_time(program);
    const Solution solution = solve(program);
    ASSERT_TRUE(solution.is_proved) << seed;
    ASSERT_EQ(solution.choice.empty(), !least.has_value()) << seed;
    infeasible += least ? 0 : 1;
    if (!least) continue;
    EXPECT_EQ(solution.time, *least) << seed << ": to the bit";
    EXPECT_EQ(solution.bound, *least) << seed;
    EXPECT_TRUE(keeps_limits(program, solution.choice)) << seed;
    EXPECT_EQ(time_of(program, solution.choice), solution.time) << seed;
  }
  EXPECT_GT(infeasible, 0);
}

// 17 variables of 8 candidates each, 2^51 choices, with a term between neighbours: the bound leaves few of them.
TEST(Solve, LooksIntoFewChoices) {
  Program program;
  constexpr int kVariables = 17;
  for (int i = 0; i < kVariables; ++i) program.variables.push_back({"v", {1, 2, 3, 4, 5, 6, 7, 8}});
  program.times.resize(1);
  for (int i = 0; i + 1 < kVariables; ++i) {
    program.times[0].push_back(term(program.variables, {i, i + 1}, [&](std::span<const std::int64_t> at) {
      return std::abs(static_cast<double>(at[0] - at[1])) + 0.01 * static_cast<double>(at[0]);
    }));
  }
  const Solution solution = solve(program);
  EXPECT_TRUE(solution.is_proved);
  EXPECT_DOUBLE_EQ(solution.time, 0.01 * (kVariables - 1));
  EXPECT_LT(solution.nodes, 1000);
}

TEST(Solve, SaysWhatItKnowsWhenItsWorkIsSpent) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    const Program program = RandomProgram(seed).run(4, 8);
    const std::optional<double> least = least_time(program);
    if (!least) continue;
    for (std::int64_t nodes = 1; nodes < 200; nodes *= 2) {
      const Solution solution = solve(program, {.nodes = nodes});
      EXPECT_LE(solution.bound, *least) << seed;
      EXPECT_GE(solution.time, *least) << seed;
      EXPECT_LE(solution.nodes, nodes + 8) << seed << ": the children of one";
      if (solution.is_proved) EXPECT_EQ(solution.time, *least) << seed;
    }
  }
  EXPECT_FALSE(solve(RandomProgram(3).run(4, 8), {.nodes = 1}).is_proved);
}

TEST(Solve, WantsOnlyWhatIsFaster) {
  const Program program = RandomProgram(7).run();
  const Solution best = solve(program);
  ASSERT_FALSE(best.choice.empty());
  EXPECT_EQ(solve(program, {.less_than = std::nextafter(best.time, kInfinity)}).choice, best.choice);
  const Solution none = solve(program, {.less_than = best.time});
  EXPECT_TRUE(none.choice.empty());
  EXPECT_TRUE(none.is_proved);
}

TEST(Solve, IsTheSameEachTime) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    const Solution one = solve(RandomProgram(seed).run()), other = solve(RandomProgram(seed).run());
    EXPECT_EQ(one.choice, other.choice);
    EXPECT_EQ(one.nodes, other.nodes);
  }
}

TEST(Fastest, AreTheBestOfAllChoices) {
  int full = 0;
  for (unsigned seed = 0; seed < sweep_size(300, 5000); ++seed) {
    const Program program = RandomProgram(seed).run(3, 6);
    std::vector<double> times = all_times(program);
    std::ranges::sort(times);
    for (const std::size_t count : {1, 3, 7}) {
      const std::vector<Choice> found = fastest(program, count);
      ASSERT_EQ(found.size(), std::min(count, times.size())) << seed;
      for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].time, times[i]) << seed << ": to the bit";
        EXPECT_EQ(time_of(program, found[i].choice), found[i].time) << seed;
        EXPECT_TRUE(keeps_limits(program, found[i].choice)) << seed;
        for (std::size_t j = 0; j < i; ++j) EXPECT_NE(found[i].choice, found[j].choice) << seed;
      }
      if (!found.empty()) EXPECT_EQ(found[0].choice, solve(program).choice) << seed;
      full += found.size() == 7 ? 1 : 0;
    }
  }
  EXPECT_GT(full, 0);
}

}  // namespace
}  // namespace strata::tiles
