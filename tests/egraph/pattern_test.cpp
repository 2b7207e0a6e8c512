// SPDX-License-Identifier: Apache-2.0
#include "egraph/pattern.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "arithmetic.h"
#include "egraph/matcher.h"
#include "random_terms.h"

namespace strata::egraph {
namespace {

using Row = std::vector<std::uint32_t>;

struct Compiled {
  Variables variables;
  MultiPattern patterns;
  Program program;
};

Compiled compile(Symbols& symbols, std::string_view text, const LiteralResolver& literals = {}) {
  Compiled result;
  result.patterns = parse_patterns(text, "test", symbols, result.variables, BarePayload::kAny, literals);
  result.program = compile_patterns(result.patterns, result.variables);
  return result;
}

std::size_t count(EGraph& graph, std::string_view text, const LiteralResolver& literals = {}) {
  graph.rebuild();
  return search(graph, compile(graph.symbols(), text, literals).program).matches.size();
}

TEST(Pattern, PayloadsAreAnyNoneOrEqual) {
  Symbols symbols;
  EGraph graph(symbols);
  const ClassId x = add_term(graph, "x");
  const Symbol f = symbols.intern("f");
  for (const Payload payload : {0u, 1u, 2u}) graph.add(f, payload, {graph.add(f, 1, {x})});
  EXPECT_EQ(count(graph, "f(?a)"), 4u) << "f(x) as well";
  EXPECT_EQ(count(graph, "f{}(f(?a))"), 1u);
  EXPECT_EQ(count(graph, "f{?p}(f{?q}(?a))"), 3u);
  EXPECT_EQ(count(graph, "f{?p}(f{?p}(?a))"), 1u);
  EXPECT_EQ(count(graph, "f(?a, ?b)"), 0u) << "another arity is another operator";
  EXPECT_EQ(count(graph, "x"), 1u);
  EXPECT_EQ(count(graph, "?a"), 5u) << "a variable matches every class";
}

TEST(Pattern, NumbersAreLeavesOfTheClient) {
  Arithmetic language;
  EGraph graph(language.symbols);
  language.add(graph, "add(mul(x, 1), mul(y, -1))");
  EXPECT_EQ(count(graph, "mul(?a, 1)", language.literals()), 1u);
  EXPECT_EQ(count(graph, "mul(?a, num{?n})"), 2u);
  EXPECT_EQ(count(graph, "mul(?a, 2)", language.literals()), 0u);
}

TEST(Pattern, SeveralRootsJoinOnSharedVariables) {
  Symbols symbols;
  EGraph graph(symbols);
  add_term(graph, "pair(matmul(x, u), pair(matmul(x, v), matmul(y, v)))");
  EXPECT_EQ(count(graph, "?a = matmul(?x, ?u); ?b = matmul(?x, ?v)"), 5u) << "two with x, squared, and one with y";
  EXPECT_EQ(count(graph, "?a = matmul(?x, ?u); ?b = matmul(?y, ?u)"), 5u);
  EXPECT_EQ(count(graph, "?a = matmul(?x, ?u); ?b = pair(?a, ?c)"), 2u);
  EXPECT_EQ(count(graph, "?b = pair(?a, ?c); ?a = matmul(x, ?u)"), 2u);
  graph.merge(add_term(graph, "matmul(x, u)"), add_term(graph, "conv(w)"));
  EXPECT_EQ(count(graph, "?a = matmul(?x, ?u); ?a = conv(?w)"), 1u);
}

TEST(Pattern, JoinReachesParentsOfMergedClassesOnce) {
  Symbols symbols;
  EGraph graph(symbols);
  add_term(graph, "p(g(x, x), g(y, x))");
  graph.merge(add_term(graph, "x"), add_term(graph, "y"));
  EXPECT_EQ(count(graph, "?a = g(?x, ?y); ?b = g(?x, ?z)"), 1u);
}

TEST(Pattern, MistakesNameTheColumn) {
  Symbols symbols;
  const auto message = [&](std::string_view text) -> std::string {
    Variables variables;
    try {
      parse_patterns(text, "rule r", symbols, variables, BarePayload::kAny);
    } catch (const std::logic_error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message("f(?x"), "rule r: expected ')' at column 5 of 'f(?x'");
  EXPECT_EQ(message("f(?x))"), "rule r: expected an operator, ';' or the end at column 6 of 'f(?x))'");
  for (const char* text :
       {"", "f(", "f()", "f(?)", "f(,)", "f{?p(?x)", "f{p}(?x)", "f{?x}(?x)", "f(?x) g", "3", "?a = f(?x); g(?x)"}) {
    EXPECT_NE(message(text).find("at column"), std::string::npos) << text;
  }
}

// All matches by their definition: every assignment of classes to variables along every choice of nodes.
class NaiveMatcher {
 public:
  NaiveMatcher(const EGraph& graph, const Compiled& compiled) : graph_(graph), compiled_(compiled) {
    row_.assign(compiled.variables.classes.size() + compiled.variables.payloads.size(), kNoId);
  }

  std::multiset<Row> all() {
    root(0);
    return std::move(found_);
  }

 private:
  using Continue = std::function<void()>;

  void root(std::size_t index) {
    if (index == compiled_.patterns.patterns.size()) {
      found_.insert(row_);
      return;
    }
    const Pattern& pattern = compiled_.patterns.patterns[index];
    for (const ClassId id : graph_.classes()) {
      set(compiled_.patterns.roots[index], id,
          [&] { match(pattern, pattern.nodes.size() - 1, id, [&] { root(index + 1); }); });
    }
  }

  void set(std::size_t place, std::uint32_t value, const Continue& next) {
    const std::uint32_t before = row_[place];
    if (before != kNoId && before != value) return;
    row_[place] = value;
    next();
    row_[place] = before;
  }

  void match(const Pattern& pattern, std::size_t index, ClassId id, const Continue& next) {
    const PatternNode& wanted = pattern.nodes[index];
    if (wanted.kind == PatternNode::Kind::kVariable) return set(wanted.variable, id, next);
    for (const ENode& node : graph_.nodes(id)) {
      if (node.op != wanted.op || node.children.size() != wanted.children.size()) continue;
      const std::vector<ClassId> children(node.children.begin(), node.children.end());
      const Continue below = [&] { match_children(pattern, wanted, children, 0, next); };
      if (!wanted.fixed_payload) {
        set(compiled_.variables.classes.size() + wanted.payload, node.payload, below);
      } else if (wanted.payload == node.payload) {
        below();
      }
    }
  }

  void match_children(const Pattern& pattern, const PatternNode& wanted, const std::vector<ClassId>& children,
                      std::size_t at, const Continue& next) {
    if (at == children.size()) return next();
    match(pattern, wanted.children[at], children[at], [&] { match_children(pattern, wanted, children, at + 1, next); });
  }

  const EGraph& graph_;
  const Compiled& compiled_;
  Row row_;
  std::multiset<Row> found_;
};

TEST(Pattern, SearchFindsExactlyTheMatches) {
  const char* const texts[] = {"f(?x)",
                               "h(?x, ?x)",
                               "h(f(?x), ?x)",
                               "h(f{?p}(?x), g{?p}(?y))",
                               "h{}(?x, h(?y, ?x))",
                               "f(f(?x))",
                               "?x",
                               "h(a{}, ?x)",
                               "h(f{}(a{}), ?x)",
                               "?r = f(?x); ?s = g(?x)",
                               "?r = h(?x, ?y); ?s = h(?y, ?z)",
                               "?r = h(?x, f(?y)); ?r = h(?z, ?w)",
                               "?r = f(?s); ?s = g(?x)",
                               "?r = f(?x); ?s = h(?y, ?r); ?t = g(?s)",
                               "?r = f(?x); ?s = g(?y)",
                               "?r = ?x; ?s = f(?x)",
                               "?r = f(?r)"};
  std::size_t total = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    std::mt19937_64 random(seed);
    Symbols symbols;
    EGraph graph(symbols);
    const auto ids = add_random_nodes(graph, random, 40);
    for (int i = 0; i < 5; ++i) graph.merge(ids[pick(random, ids.size())], ids[pick(random, ids.size())]);
    graph.rebuild();
    for (const char* text : texts) {
      const Compiled compiled = compile(symbols, text);
      const MatchTable table = search(graph, compiled.program).matches;
      std::multiset<Row> found;
      for (std::size_t i = 0; i < table.size(); ++i) found.insert(Row(table[i], table[i] + table.stride));
      const std::multiset<Row> expected = NaiveMatcher(graph, compiled).all();
      ASSERT_EQ(found, expected) << text << ", seed " << seed;
      total += found.size();
    }
  }
  EXPECT_GT(total, 10'000u);
}

TEST(Pattern, SearchStopsAtItsLimit) {
  Symbols symbols;
  EGraph graph(symbols);
  for (const char* text : {"f(a)", "f(b)", "f(c)"}) add_term(graph, text);
  graph.rebuild();
  const Program program = compile(symbols, "f(?x)").program;
  const SearchResult all = search(graph, program, {.matches = 3});
  EXPECT_FALSE(all.match_limit_hit);
  const SearchResult some = search(graph, program, {.matches = 2});
  EXPECT_TRUE(some.match_limit_hit);
  EXPECT_EQ(some.matches.size(), 2u);
}

}  // namespace
}  // namespace strata::egraph
