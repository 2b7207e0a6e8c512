// SPDX-License-Identifier: Apache-2.0
#include "egraph/egraph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "arithmetic.h"
#include "random_terms.h"

namespace strata::egraph {
namespace {

TEST(EGraph, EqualNodesAreOneNode) {
  Symbols symbols;
  EGraph graph(symbols);
  const ClassId x = add_term(graph, "x");
  const ClassId sum = add_term(graph, "add(x, x)");
  EXPECT_EQ(add_term(graph, "add(x, x)"), sum);
  EXPECT_NE(graph.add(symbols.intern("add"), 7, {x, x}), sum) << "the payload is part of a node";
  EXPECT_NE(graph.add(symbols.intern("add"), 0, {x}), sum) << "so is the number of children";
  EXPECT_EQ(graph.node_count(), 4u);
  EXPECT_EQ(graph.lookup(symbols.intern("add"), 0, {x, x}), sum);
  EXPECT_EQ(graph.lookup(symbols.intern("add"), 1, {x, x}), std::nullopt);
}

TEST(EGraph, CongruenceFollowsUpwards) {
  Symbols symbols;
  EGraph graph(symbols);
  const ClassId left = add_term(graph, "f(g(a, c), h(a))");
  const ClassId right = add_term(graph, "f(g(b, c), h(b))");
  const ClassId other = add_term(graph, "f(g(b, c), h(c))");
  graph.rebuild();
  EXPECT_FALSE(graph.same(left, right));
  EXPECT_TRUE(graph.merge(add_term(graph, "a"), add_term(graph, "b")));
  EXPECT_FALSE(graph.merge(add_term(graph, "b"), add_term(graph, "a")));
  EXPECT_EQ(graph.rebuild(), 3u);
  EXPECT_TRUE(graph.same(left, right));
  EXPECT_FALSE(graph.same(left, other));
  EXPECT_EQ(graph.nodes(left).size(), 1u) << "the two nodes have become equal";
}

// f^5(a) = a and f^3(a) = a give f(a) = a: the textbook case of congruence closure.
TEST(EGraph, CyclesCollapse) {
  Symbols symbols;
  EGraph graph(symbols);
  const ClassId a = add_term(graph, "a");
  graph.merge(a, add_term(graph, "f(f(f(f(f(a)))))"));
  graph.merge(a, add_term(graph, "f(f(f(a)))"));
  graph.rebuild();
  EXPECT_TRUE(graph.same(a, add_term(graph, "f(a)")));
  EXPECT_EQ(graph.class_count(), 1u);
  EXPECT_EQ(graph.node_count(), 2u);
}

TEST(EGraph, ListsAreCanonicalAndSorted) {
  Symbols symbols;
  EGraph graph(symbols);
  add_term(graph, "f(g(a), f(b, g(b)))");
  graph.merge(add_term(graph, "a"), add_term(graph, "b"));
  graph.merge(add_term(graph, "g(a)"), add_term(graph, "f(b, g(b))"));
  graph.rebuild();
  EXPECT_TRUE(std::ranges::is_sorted(graph.classes()));
  EXPECT_EQ(graph.classes().size(), graph.class_count());
  std::size_t nodes = 0;
  for (const ClassId id : graph.classes()) {
    EXPECT_EQ(graph.find(id), id);
    std::set<std::vector<std::uint32_t>> seen;
    for (const ENode& node : graph.nodes(id)) {
      ++nodes;
      std::vector<std::uint32_t> content = {node.op, node.payload};
      for (const ClassId child : node.children) {
        EXPECT_EQ(graph.find(child), child);
        content.push_back(child);
      }
      EXPECT_TRUE(seen.insert(content).second);
      EXPECT_EQ(graph.lookup(node), id);
      EXPECT_TRUE(std::ranges::binary_search(graph.classes_with(node.op), id));
    }
  }
  EXPECT_EQ(nodes, graph.node_count());
}

TEST(EGraph, MemoryGrowsWithTheGraph) {
  Symbols symbols;
  EGraph graph(symbols);
  ClassId term = add_term(graph, "a");
  for (int i = 0; i < 10'000; ++i) term = graph.add(symbols.intern("f"), 0, {term, term});
  graph.rebuild();
  EXPECT_GT(graph.memory_bytes(), 10'000u * (sizeof(ClassId) * 2 + 8));
  EXPECT_LT(graph.memory_bytes(), 10'000u * 400);
}

TEST(EGraph, ReadingADirtyGraphIsAMistake) {
  Symbols symbols;
  EGraph graph(symbols);
  add_term(graph, "a");
  EXPECT_THROW(graph.classes(), std::logic_error);
  graph.rebuild();
  EXPECT_EQ(graph.classes().size(), 1u);
}

TEST(Analysis, ConstantsFoldAndReachParents) {
  Arithmetic language;
  FoldConstants fold(language);
  EGraph graph(language.symbols, &fold);
  const ClassId sum = language.add(graph, "mul(add(2, x), sub(10, 7))");
  graph.rebuild();
  EXPECT_EQ(fold.value(graph, sum), std::nullopt);
  EXPECT_TRUE(graph.same(language.add(graph, "sub(10, 7)"), language.add(graph, "3")));
  graph.merge(language.add(graph, "x"), language.add(graph, "4"));
  graph.rebuild();
  EXPECT_EQ(fold.value(graph, sum), 18);
  EXPECT_TRUE(graph.same(sum, language.add(graph, "18")));
  EXPECT_EQ(fold.contradictions, 0);
}

TEST(Analysis, DataTravelsWhicheverClassSurvives) {
  for (const bool swapped : {false, true}) {
    Arithmetic language;
    FoldConstants fold(language);
    EGraph graph(language.symbols, &fold);
    const ClassId of_x = language.add(graph, "neg(x)");
    const ClassId of_5 = language.add(graph, "neg(neg(neg(5)))");
    language.add(graph, "add(x, y)");  // more parents: x survives
    const ClassId x = language.add(graph, "x");
    const ClassId five = language.add(graph, "5");
    swapped ? graph.merge(x, five) : graph.merge(five, x);
    graph.rebuild();
    EXPECT_EQ(fold.value(graph, of_x), -5);
    EXPECT_EQ(fold.value(graph, of_5), -5);
    EXPECT_TRUE(graph.same(of_x, of_5));
  }
}

// The least number of nodes of a term in the class.
class SmallestTerm : public Analysis {
 public:
  std::vector<std::size_t> sizes;

  std::size_t size_of(const EGraph& graph, const ENode& node) const {
    std::size_t size = 1;
    for (const ClassId child : node.children) size = std::min(size + sizes[graph.find(child)], kMost);
    return size;
  }
  bool make(const EGraph& graph, ClassId id, const ENode& node) override {
    if (sizes.size() <= id) sizes.resize(id + 1, kMost);
    const std::size_t before = sizes[id];
    sizes[id] = std::min(before, size_of(graph, node));
    return sizes[id] != before;
  }
  AnalysisMerge merge(const EGraph&, ClassId into, ClassId from) override {
    const AnalysisMerge result{sizes[from] < sizes[into], sizes[into] < sizes[from]};
    sizes[into] = std::min(sizes[into], sizes[from]);
    return result;
  }

 private:
  static constexpr std::size_t kMost = 1'000'000;
};

// After rebuild(): a class knows what its nodes say, a node stands among the parents of its children, once.
TEST(Analysis, InvariantsHoldAfterRandomMerges) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 random(seed);
    Symbols symbols;
    SmallestTerm smallest;
    EGraph graph(symbols, &smallest, seed % 2 == 1);
    for (int round = 0; round < 3; ++round) {
      const auto ids = add_random_nodes(graph, random, 30);
      for (int i = 0; i < 4; ++i) graph.merge(ids[pick(random, ids.size())], ids[pick(random, ids.size())]);
      graph.rebuild();
      for (const ClassId id : graph.classes()) {
        std::size_t expected = smallest.size_of(graph, graph.nodes(id)[0]);
        for (const NodeId node : graph.node_ids(id)) {
          expected = std::min(expected, smallest.size_of(graph, graph.node(node)));
          EXPECT_TRUE(graph.may_have(id, graph.node(node).op));
          for (const ClassId child : graph.node(node).children) {
            EXPECT_EQ(std::ranges::count(graph.parent_ids(child), node), 1) << "seed " << seed;
          }
        }
        ASSERT_EQ(smallest.sizes[id], expected) << "seed " << seed << " class " << id;
      }
    }
  }
}

}  // namespace
}  // namespace strata::egraph
