// SPDX-License-Identifier: Apache-2.0
#include "extract/parts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "every_choice.h"
#include "extract/extract.h"
#include "random_problem.h"
#include "tests/sweep.h"

namespace strata::extract {
namespace {

using fixtures::least_cost;
using fixtures::random_problem;

// Puts a problem beside others; returns its first class.
int append(const Problem& added, Problem& whole) {
  const int first = static_cast<int>(whole.classes.size());
  for (std::vector<Node> nodes : added.classes) {
    for (Node& node : nodes)
      for (int& child : node.children) child += first;
    whole.classes.push_back(std::move(nodes));
  }
  for (int root : added.roots) whole.roots.push_back(first + root);
  for (Limit limit : added.limits) {
    for (Use& use : limit.uses) use.cls += first;
    whole.limits.push_back(std::move(limit));
  }
  return first;
}

TEST(Parts, ShareNoClassAndNoLimit) {
  Problem problem{
      {{{1, {2}}}, {{1, {3}}}, {{1, {}}}, {{1, {}}, {2, {4}}}, {{1, {}}}, {{7, {}}}, {{9, {0}}}}, {0, 1, 5}, {}};
  std::vector<Part> parts = split(problem);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].class_of, (std::vector<int>{0, 2}));
  EXPECT_EQ(parts[1].class_of, (std::vector<int>{1, 3, 4}));
  EXPECT_EQ(parts[1].problem.classes[1][1].children, (std::vector<int>{2}));
  EXPECT_EQ(parts[1].problem.roots, (std::vector<int>{0}));
  EXPECT_EQ(parts[2].class_of, (std::vector<int>{5})) << "nothing needs class 6";
  problem.limits.push_back({"one of two", 1, {{2, 0, 1}, {4, 0, 1}, {6, 0, 1}}});
  parts = split(problem);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].class_of, (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(parts[0].problem.limits[0].uses.size(), 2u);
}

TEST(Parts, EqualOnesAreSolvedOnce) {
  const fixtures::Shape shape{.classes = 60, .most_nodes = 4, .leaves = 0.05, .window = 8};
  Problem one, many;
  append(random_problem(shape, 1), one);
  for (const unsigned seed : {1u, 2u, 1u, 1u, 2u}) append(random_problem(shape, seed), many);
  const Solution solution = solve(many);
  EXPECT_EQ(solution.parts, 5);
  EXPECT_EQ(solution.different_parts, 2);
  EXPECT_EQ(solution.method, Method::kOptimal);
  const double first = solve(one).objective;
  const double second = solve(random_problem(shape, 2)).objective;
  EXPECT_NEAR(solution.objective, 3 * first + 2 * second, 1e-9 * solution.objective);
}

// A memory that all of them share: tried all ways.
TEST(Parts, WithASharedLimitTheObjectiveIsTheLeastOfAllChoices) {
  int infeasible = 0, exceeded_without = 0;
  const int seeds = std::max(static_cast<int>(sweep_size(400, 400)), 40);  // so that the shares below hold
  for (unsigned seed = 0; static_cast<int>(seed) < seeds; ++seed) {
    SCOPED_TRACE(seed);
    fixtures::Random random(seed);
    Problem problem;
    for (unsigned part = 0; part < 2 + seed % 2; ++part)
      append(random_problem({.classes = 4}, 3 * seed + part), problem);
    Limit memory{"memory", 0, {}};
    for (int cls = 0; cls < std::ssize(problem.classes); ++cls)
      for (int node = 0; node < std::ssize(problem.classes[cls]); ++node)
        memory.uses.push_back({cls, node, random.fraction()});
    memory.capacity = 1 + 0.5 * (seed % 6);
    const Problem free = problem;
    problem.limits.push_back(memory);
    const double least = least_cost(problem);
    if (least == kInfinity) {
      ++infeasible;
      EXPECT_THROW(solve(problem), Error);
      continue;
    }
    const Solution solution = solve(problem);
    EXPECT_EQ(solution.method, Method::kOptimal);
    EXPECT_NO_THROW(check(problem, solution.choice));
    EXPECT_NEAR(solution.objective, least, 1e-9 * least);
    EXPECT_NEAR(solution.bound, least, 2e-9 * least);
    if (least > least_cost(free) * (1 + 1e-9)) ++exceeded_without;
    if (HasFailure()) break;
  }
  EXPECT_GT(infeasible, seeds / 40);
  EXPECT_LT(infeasible, seeds / 2);
  EXPECT_GT(exceeded_without, seeds / 8) << "the limit decides nothing";
}

// Parts that are each fast and large or slow and small; the gain by being fast differs.
Problem fast_or_small(int parts, double capacity) {
  Problem problem;
  Limit memory{"memory", capacity, {}};
  for (int part = 0; part < parts; ++part) {
    const int first = append({{{{0, {1}}}, {{1, {}}, {2.0 + part, {}}}}, {0}, {}}, problem);
    memory.uses.push_back({first + 1, 0, 6});
    memory.uses.push_back({first + 1, 1, 1});
  }
  problem.limits.push_back(memory);
  return problem;
}

// The ten that gain most are fast. A price settles it: no integer program joins the parts.
TEST(Parts, APriceOnTheSharedLimitLeavesThemApart) {
  const Problem problem = fast_or_small(100, 10 * 6 + 90);
  double least = 10;
  for (int part = 0; part < 90; ++part) least += 2 + part;
  const Solution solution = solve(problem);
  EXPECT_EQ(solution.objective, least);
  EXPECT_EQ(solution.gap, 0);
  EXPECT_EQ(solution.method, Method::kOptimal);
  EXPECT_EQ(solution.parts, 100);
  EXPECT_EQ(solution.variables, 0);
  const Solution greedy = solve(problem, {.exact = false});
  EXPECT_NO_THROW(check(problem, greedy.choice));
  EXPECT_LE(greedy.objective, 1.02 * least);
}

// Room for a half: between the bound of the price and the best choice is a gap, which one integer program closes.
TEST(Parts, WhatAPriceLeavesOpenIsSettledTogether) {
  const Problem problem = fast_or_small(12, 3 * 6 + 9 + 4);
  const Solution solution = solve(problem);
  double least = 3;
  for (int part = 0; part < 9; ++part) least += 2 + part;
  EXPECT_EQ(solution.objective, least);
  EXPECT_EQ(solution.method, Method::kOptimal);
  EXPECT_EQ(solution.parts, 1);
  const Solution greedy = solve(problem, {.exact = false});
  EXPECT_GT(greedy.gap, 0);
  EXPECT_LE(greedy.bound, least);
}

}  // namespace
}  // namespace strata::extract
