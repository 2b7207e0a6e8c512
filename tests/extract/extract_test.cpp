// SPDX-License-Identifier: Apache-2.0
#include "extract/extract.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "../base/expect_error.h"
#include "base/error.h"
#include "extract/loop_cuts.h"

namespace strata::extract {
namespace {

// Root 0 has two nodes: one needs 1 and 2, which both need 3 (cost 10); the other needs 4 and 5 (cost 8 each).
// As trees: 2 + 20 against 16. As DAGs: 2 + 10 against 16.
Problem shared_child() {
  return {{{{0, {1, 2}}, {0, {4, 5}}}, {{1, {3}}}, {{1, {3}}}, {{10, {}}}, {{8, {}}}, {{8, {}}}}, {0}, {}};
}

TEST(Extract, SharedClassIsPaidOnce) {
  const Solution solution = solve(shared_child());
  EXPECT_EQ(solution.choice, (std::vector<int>{0, 0, 0, 0, -1, -1}));
  EXPECT_EQ(solution.objective, 12);
  EXPECT_EQ(solution.bound, 12);
  EXPECT_EQ(solution.gap, 0);
  EXPECT_EQ(solution.method, Method::kOptimal);
  EXPECT_TRUE(solution.reason.empty());
}

TEST(Extract, GreedySeesSharingBelowANode) { EXPECT_EQ(greedy(shared_child()).objective, 12); }

// Each of three users alone prefers its own node (cost 4) to the shared class (cost 10); together they don't.
Problem shared_by_three() {
  return {{{{0, {1, 2, 3}}}, {{4, {}}, {0, {4}}}, {{4, {}}, {0, {4}}}, {{4, {}}, {0, {4}}}, {{10, {}}}}, {0}, {}};
}

TEST(Extract, ExactBeatsGreedyWhereOnlyAllUsersTogetherPay) {
  EXPECT_EQ(greedy(shared_by_three()).objective, 12);
  const Solution solution = solve(shared_by_three());
  EXPECT_EQ(solution.objective, 10);
  EXPECT_EQ(solution.choice, (std::vector<int>{0, 1, 1, 1, 0}));
}

TEST(Extract, WithoutExactTheGreedyChoiceComesBackWithABound) {
  const Solution solution = solve(shared_by_three(), {.exact = false});
  EXPECT_EQ(solution.objective, 12);
  EXPECT_LE(solution.bound, 10);
  EXPECT_EQ(solution.method, Method::kGreedy);
  EXPECT_EQ(solution.reason, "exact extraction is off");
}

// Classes 0 .. n - 1 in a ring of free nodes; leaving it costs 5 + 2 * (distance from the root).
Problem ring(int classes) {
  Problem problem;
  for (int cls = 0; cls < classes; ++cls)
    problem.classes.push_back({{0, {(cls + 1) % classes}}, {5 + 2.0 * ((classes - cls) % classes), {}}});
  problem.roots = {0};
  return problem;
}

TEST(Extract, CheapestCycleIsNoChoice) {
  for (int classes = 1; classes < 8; ++classes) {
    const Solution solution = solve(ring(classes));
    EXPECT_EQ(solution.objective, 5) << classes;
    EXPECT_EQ(solution.method, Method::kOptimal);
  }
}

// Two classes that need each other, with this many ways out, each to a class of its own.
Problem pair_with_exits(int exits) {
  Problem problem{{{{0, {1}}}, {{0, {0}}}}, {0}, {}};
  for (int exit = 0; exit < exits; ++exit) {
    problem.classes[1].push_back({1, {2 + exit}});
    problem.classes.push_back({{1, {}}, {2, {}}});
  }
  return problem;
}

// A row for each class below would have as many terms as there are exits.
TEST(Extract, ComponentsWithManyExitsHaveOneRow) {
  const Problem few = pair_with_exits(10);
  EXPECT_EQ(LoopCuts(few).required_components().size(), 11U);
  const Problem many = pair_with_exits(2000);
  EXPECT_EQ(LoopCuts(many).required_components().size(), 1U);
  EXPECT_EQ(solve(many).objective, 2);
}

// Two rings that cross, and a limit that forbids the cheap exits: the solver, not the presolve, has to see the cycles.
TEST(Extract, CyclesAreCutWhereLimitsCloseTheCheapExits) {
  Problem problem = ring(6);
  for (int cls = 0; cls < 6; ++cls) problem.classes[cls].push_back({0.5, {(cls + 2) % 6}});
  Limit limit{"exits", 1, {}};
  for (int cls : {0, 5, 4, 3}) limit.uses.push_back({cls, 1, 2});
  problem.limits.push_back(limit);
  const Solution solution = solve(problem);
  // 0 -> 1 -> 2, and out of 2 for 5 + 2 * 4.
  EXPECT_EQ(solution.objective, 13);
  EXPECT_EQ(solution.choice, (std::vector<int>{0, 0, 1, -1, -1, -1}));
}

TEST(Extract, ClassThatNeedsOnlyItselfHasNoChoice) {
  EXPECT_THROW(solve({{{{1, {0}}}}, {0}, {}}), std::logic_error);
  EXPECT_THROW(solve({{{{1, {1}}}, {{1, {0}}}}, {0}, {}}), std::logic_error);
  EXPECT_THROW(solve({{{}}, {0}, {}}), std::logic_error);
}

TEST(Extract, EmptyProblem) {
  const Solution solution = solve({});
  EXPECT_EQ(solution.objective, 0);
  EXPECT_EQ(solution.gap, 0);
  EXPECT_EQ(solution.method, Method::kOptimal);
}

// Two classes, each fast and large (cost 1, 6 bytes) or slow and small; the second gains less by being fast.
Problem fast_or_small(double capacity) {
  return {{{{0, {1, 2}}}, {{1, {}}, {9, {}}}, {{1, {}}, {3, {}}}},
          {0},
          {{"cache", capacity, {{1, 0, 6}, {1, 1, 1}, {2, 0, 6}, {2, 1, 1}}}}};
}

TEST(Extract, CapacityForcesTheNextBest) {
  EXPECT_EQ(solve(fast_or_small(12)).objective, 2);
  const Solution solution = solve(fast_or_small(11));
  EXPECT_EQ(solution.objective, 4);
  EXPECT_EQ(solution.choice, (std::vector<int>{0, 0, 1}));
  EXPECT_EQ(solve(fast_or_small(2)).objective, 12);
}

TEST(Extract, GreedyKeepsCapacityWhereItCan) {
  const Solution solution = greedy(fast_or_small(7));
  EXPECT_TRUE(solution.exceeded.empty());
  EXPECT_NO_THROW(check(fast_or_small(7), solution.choice));
  EXPECT_EQ(solution.objective, 4);
}

TEST(Extract, AlternativesOfWhichOneMayBeChosen) {
  Problem problem{
      {{{0, {1, 2}}}, {{1, {}}, {5, {}}}, {{1, {}}, {4, {}}}}, {0}, {{"one copy", 1, {{1, 0, 1}, {2, 0, 1}}}}};
  EXPECT_EQ(solve(problem).objective, 5);
  EXPECT_EQ(solve(problem).choice, (std::vector<int>{0, 0, 1}));
}

TEST(Extract, LimitThatCannotBeKeptIsNamed) {
  fixtures::expect_error(ExitCode::kResource, {"'cache'", "at least 2 of 1.5"}, [] { solve(fast_or_small(1.5)); });
}

TEST(Extract, LimitsThatCannotBeKeptTogetherAreNamedAloneOfAll) {
  Problem problem = fast_or_small(100);
  problem.limits.push_back({"fast", 1, {{1, 0, 1}, {2, 0, 1}}});
  problem.limits.push_back({"first slow", 0.5, {{1, 1, 1}}});
  problem.limits.push_back({"second slow", 0, {{2, 1, 1}}});
  fixtures::expect_error(ExitCode::kResource, {"kept together: fast, first slow, second slow;"},
                         [&] { solve(problem); });
}

// Two parts of two roots each prefer different memories (classes 4 and 5) of which only one may exist: no exchange of
// one node keeps the limit.
TEST(Extract, GreedyPartsAgreeOnWhatTheyShare) {
  const std::vector<Node> first = {{1, {4}}, {2, {5}}};
  const std::vector<Node> second = {{1, {5}}, {3, {4}}};
  const Problem problem{
      {first, first, second, second, {{0, {}}}, {{0, {}}}}, {0, 1, 2, 3}, {{"one memory", 1, {{4, 0, 1}, {5, 0, 1}}}}};
  EXPECT_EQ(solve(problem).objective, 6);
  EXPECT_EQ(solve(problem, {.exact = false}).objective, 6);
}

TEST(Extract, GreedyThatMayNotSearchNamesTheLimitItExceeds) {
  fixtures::expect_error(ExitCode::kResource, {"greedy", "cache"}, [] { solve(fast_or_small(1.5), {.exact = false}); });
  const Solution solution = greedy(fast_or_small(1.5));
  EXPECT_EQ(solution.exceeded, std::vector<int>{0});
  EXPECT_EQ(solution.reason, "exceeds cache");
}

// A nanosecond beside a tenth of a second decides as long as nothing else differs.
TEST(Extract, SmallCostsCountBesideLargeOnes) {
  Problem problem{
      {{{0.1, {1, 2, 3}}}, {{3e-9, {}}, {0, {4}}}, {{3e-9, {}}, {0, {4}}}, {{3e-9, {}}, {0, {4}}}, {{8e-9, {}}}},
      {0},
      {}};
  EXPECT_EQ(solve(problem).choice[4], 0);
  problem.classes[4][0].cost = 1e-8;
  EXPECT_EQ(solve(problem).choice[4], -1);
}

TEST(Extract, SolverIsSilent) {
  Problem problem = fast_or_small(11);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  EXPECT_GT(solve(problem).variables, 0);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Check, NamesWhatIsWrong) {
  const Problem problem = fast_or_small(11);
  EXPECT_NO_THROW(check(problem, {0, 0, 1}));
  EXPECT_THROW(check(problem, {-1, 0, 1}), std::logic_error);
  EXPECT_THROW(check(problem, {0, -1, 1}), std::logic_error);
  EXPECT_THROW(check(problem, {0, 2, 1}), std::logic_error);
  EXPECT_THROW(check(problem, {0, 0, 0}), std::logic_error);
  EXPECT_THROW(check(problem, {0, 0}), std::logic_error);
  EXPECT_THROW(check(ring(3), {0, 0, 0}), std::logic_error);
  EXPECT_NO_THROW(check(ring(3), {0, 1, -1}));
}

TEST(Check, ProblemsThatAreNoneAreRefused) {
  EXPECT_THROW(solve({{{{-1, {}}}}, {0}, {}}), std::logic_error);
  EXPECT_THROW(solve({{{{1, {1}}}}, {0}, {}}), std::logic_error);
  EXPECT_THROW(solve({{{{1, {}}}}, {1}, {}}), std::logic_error);
  EXPECT_THROW(solve({{{{1, {}}}}, {0}, {{"l", 1, {{0, 1, 1}}}}}), std::logic_error);
  EXPECT_THROW(solve({{{{1, {}}}}, {0}, {{"l", 1, {{0, 0, -1}}}}}), std::logic_error);
}

}  // namespace
}  // namespace strata::extract
