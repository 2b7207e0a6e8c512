// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>

#include "../base/wild_clock.h"
#include "base/error.h"
#include "every_choice.h"
#include "extract/extract.h"
#include "random_problem.h"

namespace strata::extract {
namespace {

using fixtures::least_cost;
using fixtures::random_problem;
using fixtures::Shape;

void expect_optimal(const Problem& problem, int& infeasible) {
  const double least = least_cost(problem);
  if (least == kInfinity) {
    ++infeasible;
    EXPECT_THROW(solve(problem), Error);
    return;
  }
  const Solution solution = solve(problem);
  EXPECT_EQ(solution.method, Method::kOptimal);
  EXPECT_NO_THROW(check(problem, solution.choice));
  EXPECT_NEAR(solution.objective, least, 1e-9 * least);
  EXPECT_EQ(solution.objective, dag_cost(problem, solution.choice));
  EXPECT_NEAR(solution.bound, least, 2e-9 * least);
}

TEST(RandomProblems, ObjectiveIsTheLeastOfAllChoices) {
  int infeasible = 0;
  for (unsigned seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE(seed);
    Shape shape;
    shape.classes = 1 + static_cast<int>(seed % 8);
    shape.back_edges = 0.2 * (seed % 5);
    shape.mixed_magnitudes = seed % 3 == 0;
    shape.limits = static_cast<int>(seed / 2 % 3);
    expect_optimal(random_problem(shape, seed), infeasible);
    if (HasFailure()) break;
  }
  EXPECT_GT(infeasible, 50);
  EXPECT_LT(infeasible, 600);
}

TEST(RandomProblems, BoundsAreInOrder) {
  int cuts = 0;
  for (unsigned seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    Shape shape{.classes = 150, .most_nodes = 5, .leaves = 0.02, .window = 8, .limits = static_cast<int>(seed % 2)};
    shape.mixed_magnitudes = seed % 3 == 0;
    const Problem problem = random_problem(shape, seed);
    const Solution start = greedy(problem);
    const Solution solution = solve(problem, {.work = 2000});
    EXPECT_NO_THROW(check(problem, solution.choice));
    EXPECT_LE(solution.bound, solution.objective);
    EXPECT_GE(solution.gap, 0);
    if (start.exceeded.empty()) {
      EXPECT_LE(solution.objective, start.objective);
    }
    cuts += solution.cuts;
  }
  EXPECT_GT(cuts, 0);
}

TEST(RandomProblems, SameProblemSameChoice) {
  const Problem problem = random_problem({.classes = 200, .most_nodes = 5, .leaves = 0.02, .window = 10}, 7);
  const Solution first = solve(problem);
  EXPECT_EQ(first.method, Method::kOptimal);
  EXPECT_EQ(first.choice, solve(problem).choice);
}

// Branching, and a search that spends its work: neither it nor the solver asks what time it is.
TEST(RandomProblems, TheClockDecidesNothing) {
  for (const long work : {2'000L, 1'000'000L}) {
    for (unsigned seed = 0; seed < 4; ++seed) {
      SCOPED_TRACE(seed);
      const Problem problem = random_problem(
          {.classes = 150, .most_nodes = 5, .leaves = 0.02, .window = 8, .limits = static_cast<int>(seed % 2)}, seed);
      const Solution calm = solve(problem, {.work = work});
      const ::strata::fixtures::WildClock wild;
      const Solution hurried = solve(problem, {.work = work});
      EXPECT_EQ(calm.choice, hurried.choice);
      EXPECT_EQ(calm.bound, hurried.bound);
      EXPECT_EQ(calm.rounds, hurried.rounds);
      EXPECT_EQ(calm.method, hurried.method);
      EXPECT_GT(hurried.seconds, 100) << "the clocks did run wild";
    }
  }
}

TEST(RandomProblems, NoWorkStillGivesAValidChoice) {
  for (const long work : {0L, 50L, 500L}) {
    const Problem problem = random_problem({.classes = 1500, .most_nodes = 5, .leaves = 0.02, .window = 20}, 3);
    const Solution solution = solve(problem, {.work = work});
    EXPECT_NO_THROW(check(problem, solution.choice));
    EXPECT_LE(solution.bound, solution.objective);
    EXPECT_EQ(solution.choice, solve(problem, {.work = work}).choice);
    if (work > 0) continue;
    EXPECT_NE(solution.method, Method::kOptimal);
    EXPECT_TRUE(solution.is_limited);
    EXPECT_NE(solution.reason.find("work of 0"), std::string::npos) << solution.reason;
    EXPECT_GT(solution.gap, 0);
  }
}

}  // namespace
}  // namespace strata::extract
