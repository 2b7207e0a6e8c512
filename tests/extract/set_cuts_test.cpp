// SPDX-License-Identifier: Apache-2.0
#include "extract/set_cuts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "every_choice.h"
#include "extract/exclusions.h"
#include "random_problem.h"

namespace strata::extract {
namespace {

// The root's two nodes lead to class 3 by ways of their own; class 1 has another node, that needs nothing.
Problem two_ways_to_one() { return {{{{0, {1}}, {0, {2}}}, {{0, {3}}, {9, {}}}, {{0, {3}}}, {{5, {}}}}, {0}, {}}; }

TEST(SetCuts, HalvesOfAClassThatAllWaysNeedAreAWhole) {
  const Problem problem = two_ways_to_one();
  const NodeValues halves = {{0.5, 0.5}, {0.5, 0}, {0.5}, {0.5}};
  SetCuts cuts(problem);
  const std::vector<LoopCut> found = cuts.find(halves, 10);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].cls, 0);
  EXPECT_EQ(found[0].loop, (std::vector{0, 1, 2, 3}));
  EXPECT_EQ(found[0].exits, (std::vector<std::pair<int, int>>{{1, 1}, {3, 0}}));
  EXPECT_TRUE(cuts.find(halves, 10).empty()) << "it was given before";
}

TEST(SetCuts, WaysThatLeadElsewhereNeedNoMore) {
  const Problem problem = two_ways_to_one();
  EXPECT_TRUE(SetCuts(problem).find({{0.5, 0.5}, {0, 0.5}, {0.5}, {0.5}}, 10).empty());
}

double amount_of(const LoopCut& cut, const std::vector<int>& choice) {
  return static_cast<double>(std::ranges::count_if(
      cut.exits, [&](const auto& exit) { return choice[static_cast<std::size_t>(exit.first)] == exit.second; }));
}

// Whatever they are found from.
TEST(SetCuts, EveryChoiceKeepsThem) {
  int given = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    const Problem problem = fixtures::random_problem({.classes = 7, .back_edges = 0.3 * (seed % 2)}, seed);
    fixtures::Random random(seed);
    NodeValues values;
    for (const auto& nodes : problem.classes) {
      values.emplace_back();
      for (std::size_t i = 0; i < nodes.size(); ++i) values.back().push_back(random.below(2) * random.fraction());
    }
    const std::vector<LoopCut> cuts = SetCuts(problem).find(values, 100);
    given += static_cast<int>(cuts.size());
    std::vector<int> choice(problem.classes.size(), -1);
    double limit = kInfinity;
    fixtures::try_all(problem, choice, problem.roots, 0, limit, [&](const std::vector<int>& valid, double) {
      for (const LoopCut& cut : cuts) {
        const bool is_needed = valid[static_cast<std::size_t>(cut.cls)] != -1;
        EXPECT_TRUE(!is_needed || amount_of(cut, valid) >= 1) << "seed " << seed;
      }
    });
  }
  EXPECT_GT(given, 50);
}

TEST(Exclusions, ALimitHasTwoClassesAndAllItsPairsExclude) {
  Exclusions exclusions;
  const std::set<std::pair<Exclusions::NodeOf, Exclusions::NodeOf>> pairs = {
      {{1, 0}, {2, 0}}, {{1, 0}, {2, 1}}, {{1, 1}, {2, 1}}, {{1, 0}, {3, 0}}, {{1, 1}, {3, 0}}};
  for (const auto& [a, b] : pairs) exclusions.add(b, a);
  exclusions.add({1, 0}, {1, 1});  // of one class: nothing to say
  std::set<std::pair<Exclusions::NodeOf, Exclusions::NodeOf>> covered;
  const std::vector<Limit> limits = exclusions.limits("x");
  for (const Limit& limit : limits) {
    EXPECT_EQ(limit.capacity, 1);
    for (const Use& a : limit.uses) {
      for (const Use& b : limit.uses) {
        if (a.cls < b.cls) covered.insert({{a.cls, a.node}, {b.cls, b.node}});
      }
    }
  }
  EXPECT_EQ(covered, pairs) << "of classes 2 and 3 both nodes may be chosen";
  EXPECT_EQ(limits.size(), 3u);
}

}  // namespace
}  // namespace strata::extract
