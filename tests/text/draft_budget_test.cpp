// SPDX-License-Identifier: Apache-2.0
#include "text/draft_budget.h"

#include <gtest/gtest.h>

#include <random>

namespace strata::text {
namespace {

// The time of a text whose guesses are each right with this chance, and of a step for each token.
struct Run {
  double took = 0, singly = 0;
  double ratio() const { return singly / took; }
};
Run run(const std::vector<double>& costs, double chance, int tokens) {
  DraftBudget budget(costs);
  std::mt19937 random(7);
  std::bernoulli_distribution is_right(chance);
  Run result;
  for (int made = 0; made < tokens;) {
    const std::size_t verified = budget.worth(8);
    std::size_t right = 0;
    while (right < verified && is_right(random)) ++right;
    budget.took(verified, right);
    result.took += costs[verified];
    result.singly += static_cast<double>(right + 1) * costs[0];
    made += static_cast<int>(right) + 1;
  }
  return result;
}

const std::vector<double> kNearlyFree = {1, 1.02, 1.03, 1.04, 1.08, 1.12, 1.2, 1.3, 1.4};
const std::vector<double> kNotFree = {1, 2, 3, 4, 5, 6, 7, 8, 9};

TEST(DraftBudgetTest, RightGuessesSaveTime) {
  EXPECT_GT(run(kNearlyFree, 0.9, 1000).ratio(), 3);
  EXPECT_GT(run(kNearlyFree, 0.5, 1000).ratio(), 1.5);
}

TEST(DraftBudgetTest, WrongGuessesCostLittle) {
  EXPECT_GT(run(kNearlyFree, 0, 2000).ratio(), 0.97);
  EXPECT_GT(run(kNotFree, 0, 2000).ratio(), 0.97);
  EXPECT_GT(run(kNotFree, 0.9, 2000).ratio(), 0.97);
}

TEST(DraftBudgetTest, WrongGuessesAreStillTriedNowAndThen) {
  DraftBudget budget(kNearlyFree);
  int trials = 0;
  for (int step = 0; step < 1000; ++step) {
    const std::size_t verified = budget.worth(8);
    trials += verified > 0 ? 1 : 0;
    budget.took(verified, 0);
  }
  EXPECT_GT(trials, 10);
}

TEST(DraftBudgetTest, TheMoreAreRightTheMoreAreVerified) {
  DraftBudget budget(kNearlyFree);
  for (int step = 0; step < 20; ++step) budget.took(8, 8);
  EXPECT_EQ(budget.worth(8), 8u);
  EXPECT_EQ(budget.worth(3), 3u);
  EXPECT_EQ(budget.worth(0), 0u);
  for (int step = 0; step < 20; ++step) budget.took(2, 0);
  EXPECT_LT(budget.worth(8), 4u);
}

TEST(DraftBudgetTest, OfOneRowAloneNothingIsVerified) {
  const DraftBudget budget({1});
  EXPECT_EQ(budget.worth(8), 0u);
}

}  // namespace
}  // namespace strata::text
