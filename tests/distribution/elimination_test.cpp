// SPDX-License-Identifier: Apache-2.0
#include "distribution/elimination.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/sweep.h"

namespace strata::distribution {
namespace {

FactorGraph random_graph(unsigned seed) {
  std::mt19937 random(seed);
  const auto draw = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  FactorGraph graph;
  for (int v = 2 + draw(6); v > 0; --v) graph.sizes.push_back(1 + draw(4));
  for (int f = 1 + draw(10); f > 0; --f) {
    Factor factor;
    std::size_t entries = 1;
    for (int v = 0; v < static_cast<int>(graph.sizes.size()); ++v) {
      if (factor.scope.size() >= 3 || draw(3) > 0) continue;
      factor.scope.push_back(v);
      entries *= static_cast<std::size_t>(graph.sizes[static_cast<std::size_t>(v)]);
    }
    for (std::size_t i = 0; i < entries; ++i) factor.costs.push_back(draw(12) == 0 ? kInfinite : draw(100));
    graph.factors.push_back(std::move(factor));
  }
  return graph;
}

double least_of_all(const FactorGraph& graph) {
  std::vector<int> choice(graph.sizes.size());
  double least = kInfinite;
  while (true) {
    least = std::min(least, cost_of(graph, choice));
    std::size_t v = 0;
    while (v < choice.size() && ++choice[v] == graph.sizes[v]) choice[v++] = 0;
    if (v == choice.size()) return least;
  }
}

TEST(Elimination, IsTheLeastOfAllChoices) {
  int infeasible = 0;
  for (unsigned seed = 0; seed < sweep_size(500, 20000); ++seed) {
    SCOPED_TRACE(seed);
    const FactorGraph graph = random_graph(seed);
    const auto found = minimise(graph, 1 << 20);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->cost, least_of_all(graph));
    if (found->cost == kInfinite) {
      ++infeasible;
    } else {
      EXPECT_EQ(cost_of(graph, found->choice), found->cost);
    }
  }
  EXPECT_GT(infeasible, 0);
}

TEST(Elimination, AChainTakesLinearWork) {
  FactorGraph graph;
  constexpr int kLength = 100, kChoices = 10;
  graph.sizes.assign(kLength, kChoices);
  for (int v = 0; v + 1 < kLength; ++v) {
    Factor factor{{v, v + 1}, {}};
    for (int i = 0; i < kChoices * kChoices; ++i) factor.costs.push_back((i * 7 + v) % 13);
    graph.factors.push_back(std::move(factor));
  }
  const auto found = minimise(graph, kChoices * kChoices);
  ASSERT_TRUE(found);
  EXPECT_LE(found->entries, kLength * kChoices * kChoices);
  EXPECT_EQ(found->largest, kChoices * kChoices);
}

TEST(Elimination, SaysWhereATableWouldBeTooLarge) {
  FactorGraph graph{{10, 10, 10}, {{{0, 1, 2}, std::vector<double>(1000, 1.0)}}};
  EXPECT_FALSE(minimise(graph, 999));
  EXPECT_TRUE(minimise(graph, 1000));
}

}  // namespace
}  // namespace strata::distribution
