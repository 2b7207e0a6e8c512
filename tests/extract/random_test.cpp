// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "base/error.h"
#include "extract/extract.h"
#include "random_problem.h"

namespace strata::extract {
namespace {

using testing::random_problem;
using testing::Shape;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Extends the choice, class by class as they are needed, in every way.
void try_all(const Problem& problem, std::vector<int>& choice, std::vector<int> open, double& best) {
  while (!open.empty() && choice[open.back()] != -1) open.pop_back();
  if (open.empty()) {
    const double cost = dag_cost(problem, choice);
    if (cost >= best) return;
    try {
      check(problem, choice);
      best = cost;
    } catch (const std::logic_error&) {
    }
    return;
  }
  const int cls = open.back();
  for (int node = 0; node < std::ssize(problem.classes[cls]); ++node) {
    choice[cls] = node;
    std::vector<int> more = open;
    const auto& children = problem.classes[cls][node].children;
    more.insert(more.end(), children.begin(), children.end());
    try_all(problem, choice, more, best);
  }
  choice[cls] = -1;
}

double least_cost(const Problem& problem) {
  std::vector<int> choice(problem.classes.size(), -1);
  double best = kInfinity;
  try_all(problem, choice, problem.roots, best);
  return best;
}

void expect_optimal(const Problem& problem, int& infeasible) {
  const double least = least_cost(problem);
  if (least == kInfinity) {
    ++infeasible;
    EXPECT_THROW(solve(problem, {60}), Error);
    return;
  }
  const Solution solution = solve(problem, {60});
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
    const Solution solution = solve(problem, {0.3});
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
  const Solution first = solve(problem, {60});
  EXPECT_EQ(first.method, Method::kOptimal);
  EXPECT_EQ(first.choice, solve(problem, {60}).choice);
}

TEST(RandomProblems, NoTimeStillGivesAValidChoice) {
  for (const double time_limit_s : {0.0, 1e-3, 0.1}) {
    const Problem problem = random_problem({.classes = 1500, .most_nodes = 5, .leaves = 0.02, .window = 20}, 3);
    const Solution solution = solve(problem, {time_limit_s});
    EXPECT_NO_THROW(check(problem, solution.choice));
    EXPECT_LE(solution.bound, solution.objective);
    if (time_limit_s > 0) continue;
    EXPECT_NE(solution.method, Method::kOptimal);
    EXPECT_NE(solution.reason.find("time limit"), std::string::npos) << solution.reason;
    EXPECT_GT(solution.gap, 0);
  }
}

}  // namespace
}  // namespace strata::extract
