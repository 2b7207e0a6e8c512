// SPDX-License-Identifier: Apache-2.0
// Searching only what changed against searching everything, on random graphs and random sets of rules.
#include "egraph/changes.h"

#include <gtest/gtest.h>

#include "egraph/runner.h"
#include "random_terms.h"
#include "tests/sweep.h"

namespace strata::egraph {
namespace {

// Whether the class, or one so many levels below it, has a node of the operator.
bool has_below(const EGraph& graph, ClassId id, Symbol op, int depth) {
  for (const ENode node : graph.nodes(id)) {
    if (node.op == op) return true;
    if (depth == 0) continue;
    for (const ClassId child : node.children) {
      if (has_below(graph, child, op, depth - 1)) return true;
    }
  }
  return false;
}

struct RuleRow {
  const char* left;
  const char* right;
  int guard_depth = kNoGuard;  // else the guard wants an "a" in the class of ?x, or so far below
};

// None makes terms without end. Among them: patterns of depth 0 to 3, variables that stand twice, also as a root,
// ground terms, payloads, several roots, connected and not, and guards.
constexpr RuleRow kRows[] = {
    {"f(f(?x))", "f(?x)"},
    {"g(g(?x))", "?x"},
    {"h(?x, ?y)", "h(?y, ?x)"},
    {"h(?x, ?x)", "f(?x)"},
    {"f(g(?x))", "g(f(?x))"},
    {"h(f(?x), f(?y))", "f(h(?x, ?y))"},
    {"h(a, g(?x))", "b"},
    {"h(?x, h(?x, ?y))", "?y"},
    {"h(g(a), ?x)", "f(?x)"},
    {"f{?p}(h(?x, g(g(?x))))", "f{?p}(?x)"},
    {"?r = f(?r)", "?r = a"},
    {"?p = f(?x); ?q = g(?x)", "?p = h(?p, ?q)"},
    {"?p = h(?x, ?y); ?q = h(?y, ?z)", "?p = h(?x, ?q)"},
    {"?p = f{?e}(?x); ?q = h(?p, ?y)", "?q = ?y"},
    {"?p = f(f(?x)); ?q = g(g(?y))", "?p = ?x; ?q = ?y"},
    {"c", "d"},
    {"f(?x)", "g(?x)", 0},
    {"f(?x)", "g(?x)", 1},
    {"h(?x, ?y)", "?y", 2},
    {"?p = f(?x); ?q = h(?x, ?y)", "?p = ?q", 1},
    {"?x = g(?y)", "?x = f(?y)", 0},
    {"?x = h(?y, ?z)", "?x = ?z", 1},
};

std::vector<Rewrite> random_rules(Symbols& symbols, std::mt19937_64& random) {
  std::vector<Rewrite> rules;
  const Symbol a = symbols.intern("a");
  for (const RuleRow& row : kRows) {
    if (pick(random, 4) != 0) continue;
    Guard guard;
    if (row.guard_depth != kNoGuard) {
      guard = [a, depth = row.guard_depth](EGraph& graph, Match& match) {
        return has_below(graph, match.class_of("?x"), a, depth);
      };
    }
    rules.push_back(make_rewrite(symbols, "rule " + std::to_string(&row - kRows), row.left, row.right, guard, {},
                                 std::max(0, row.guard_depth)));
  }
  return rules;
}

struct Saturated {
  std::unique_ptr<Symbols> symbols = std::make_unique<Symbols>();
  std::unique_ptr<EGraph> graph;
  std::vector<Rewrite> rules;
  std::vector<ClassId> terms;
  RunReport report;
};

Saturated saturate(std::uint64_t seed, const SchedulerOptions& scheduler, bool explanations) {
  std::mt19937_64 random(seed);
  Saturated result;
  result.graph = std::make_unique<EGraph>(*result.symbols, nullptr, explanations);
  result.terms = add_random_nodes(*result.graph, random, 12);
  for (int i = 0; i < 2; ++i) {
    result.graph->merge(result.terms[pick(random, result.terms.size())],
                        result.terms[pick(random, result.terms.size())]);
  }
  result.rules = random_rules(*result.symbols, random);
  result.report = run(*result.graph, result.rules, {.iterations = 100, .nodes = 600}, scheduler);
  return result;
}

void expect_alike(const Saturated& some, const Saturated& all, const std::string& what) {
  ASSERT_EQ(some.graph->node_count(), all.graph->node_count()) << what;
  ASSERT_EQ(some.graph->class_count(), all.graph->class_count()) << what;
  for (std::size_t i = 0; i < some.terms.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      ASSERT_EQ(some.graph->same(some.terms[i], some.terms[k]), all.graph->same(all.terms[i], all.terms[k])) << what;
    }
  }
}

void compare(std::uint64_t seed, bool explanations, int& saturated) {
  const std::string what = "seed " + std::to_string(seed);
  Saturated some = saturate(seed, {}, explanations);
  const Saturated all = saturate(seed, {.incremental = false}, explanations);
  const Saturated banned = saturate(seed, {.match_limit = 3, .ban_length = 2}, explanations);
  if (all.report.stop_reason != StopReason::kSaturated) return;
  ASSERT_EQ(some.report.stop_reason, StopReason::kSaturated) << what;
  ++saturated;
  expect_alike(some, all, what);
  if (banned.report.stop_reason == StopReason::kSaturated) expect_alike(banned, all, what + ", with bans");
  // Nothing is left to be found.
  const std::size_t merges = some.graph->merge_count();
  const RunReport again = run(*some.graph, some.rules, {.iterations = 2, .nodes = 4'000}, {.incremental = false});
  ASSERT_EQ(again.stop_reason, StopReason::kSaturated) << what;
  ASSERT_EQ(some.graph->merge_count(), merges) << what;
}

TEST(MatchingChanges, EqualsMatchingEverything) {
  int saturated = 0;
  const auto seeds = static_cast<std::uint64_t>(sweep_size(500, 50'000));
  for (std::uint64_t seed = 0; seed < seeds && !HasFatalFailure(); ++seed) compare(seed, seed % 4 == 0, saturated);
  EXPECT_GT(saturated, static_cast<int>(seeds / 2));
}

TEST(MatchingChanges, LooksOnlyAtWhatChanged) {
  Symbols symbols;
  EGraph graph(symbols);
  std::vector<ClassId> leaves;
  for (int i = 0; i < 1'000; ++i) leaves.push_back(graph.add(symbols.intern("x" + std::to_string(i))));
  for (const ClassId leaf : leaves) graph.add(symbols.intern("f"), 0, {graph.add(symbols.intern("g"), 0, {leaf})});
  graph.rebuild();
  Changes changes(graph, 2);
  changes.update();
  const Rewrite rule = make_rewrite(symbols, "rule", "f(g(?x))", "?x");
  EXPECT_EQ(search(graph, rule.program, {}, {}).matches.size(), 1'000u);
  const Seen seen{&changes, graph.epoch(), graph.id_count()};
  EXPECT_EQ(search(graph, rule.program, {}, seen).matches.size(), 0u);
  const ClassId y = graph.add(symbols.intern("y"));
  graph.merge(graph.add(symbols.intern("g"), 0, {y}), graph.add(symbols.intern("g"), 0, {leaves[7]}));
  graph.rebuild();
  changes.update();
  // Its f has two matches now, of which one was there.
  const SearchResult found = search(graph, rule.program, {}, seen);
  EXPECT_GE(found.matches.size(), 1u);
  EXPECT_LE(found.matches.size(), 2u);
}

TEST(MatchingChanges, GoesUpAsFarAsAsked) {
  Symbols symbols;
  EGraph graph(symbols);
  ClassId top = graph.add(symbols.intern("a"));
  const ClassId leaf = top;
  std::vector<ClassId> chain = {top};
  for (int i = 0; i < 4; ++i) chain.push_back(top = graph.add(symbols.intern("f"), 0, {top}));
  const ClassId other = graph.add(symbols.intern("b"));
  graph.rebuild();
  Changes changes(graph, 2);
  changes.update();
  const std::uint32_t before = graph.epoch();
  graph.merge(leaf, other);
  graph.rebuild();
  changes.update();
  for (std::uint32_t level = 0; level < chain.size(); ++level) {
    for (std::uint32_t depth = 0; depth <= 2; ++depth) {
      EXPECT_EQ(changes.within(depth, graph.find(chain[level])) >= before, depth >= level) << level << " " << depth;
    }
  }
}

}  // namespace
}  // namespace strata::egraph
