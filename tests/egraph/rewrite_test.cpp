// SPDX-License-Identifier: Apache-2.0
#include "egraph/rewrite.h"

#include <gtest/gtest.h>

#include "arithmetic.h"
#include "egraph/runner.h"

namespace strata::egraph {
namespace {

// Whether the rules lead from one term to the other.
bool proves(Arithmetic& language, const std::vector<Rewrite>& rules, std::string_view start, std::string_view goal,
            Analysis* analysis = nullptr) {
  EGraph graph(language.symbols, analysis);
  const ClassId from = language.add(graph, start);
  run(graph, rules);
  return graph.same(from, language.add(graph, goal));
}

std::vector<Rewrite> algebra(Arithmetic& language) {
  return {language.rule("commute-add", "add(?x, ?y)", "add(?y, ?x)"),
          language.rule("commute-mul", "mul(?x, ?y)", "mul(?y, ?x)"),
          language.rule("associate-add", "add(?x, add(?y, ?z))", "add(add(?x, ?y), ?z)"),
          language.rule("add-zero", "add(?x, 0)", "?x"),
          language.rule("mul-one", "mul(?x, 1)", "?x"),
          language.rule("mul-zero", "mul(?x, 0)", "0"),
          language.rule("cancel-sub", "sub(?x, ?x)", "0"),
          language.rule("distribute", "mul(?x, add(?y, ?z))", "add(mul(?x, ?y), mul(?x, ?z))")};
}

TEST(Rewrite, SimplifiesArithmetic) {
  Arithmetic language;
  const auto rules = algebra(language);
  EXPECT_TRUE(proves(language, rules, "add(0, mul(1, x))", "x"));
  EXPECT_TRUE(proves(language, rules, "add(a, add(b, add(c, d)))", "add(add(d, c), add(b, a))"));
  EXPECT_TRUE(proves(language, rules, "mul(add(x, sub(y, y)), add(1, z))", "add(x, mul(x, z))"));
  EXPECT_FALSE(proves(language, rules, "add(x, y)", "x"));
  EXPECT_FALSE(proves(language, rules, "sub(x, y)", "sub(y, x)"));
}

TEST(Rewrite, GuardDecidesByAnalysis) {
  const auto becomes_one = [](std::string_view start) {
    Arithmetic language;
    FoldConstants fold(language);
    const Guard is_not_zero = [&](EGraph& graph, Match& match) {
      const auto value = fold.value(graph, match.class_of("?x"));
      return value && *value != 0;
    };
    return proves(language, {language.rule("cancel-div", "div(?x, ?x)", "1", is_not_zero)}, start, "1", &fold);
  };
  EXPECT_TRUE(becomes_one("div(add(1, 2), 3)"));
  EXPECT_FALSE(becomes_one("div(x, x)")) << "x may be 0";
  EXPECT_FALSE(becomes_one("div(0, 0)"));
}

// The right side's number and payload are computed.
TEST(Rewrite, GuardBindsWhatTheRightSideNeeds) {
  Arithmetic language;
  const std::vector<Rewrite> rules = {
      language.rule("double", "add(?x, ?x)", "shift{?one}(?x)",
                    [&](EGraph&, Match& match) {
                      match.bind_payload("?one", 1);
                      return true;
                    }),
      language.rule("merge-shifts", "shift{?p}(shift{?q}(?x))", "shift{?sum}(?x)",
                    [&](EGraph&, Match& match) {
                      match.bind_payload("?sum", match.payload_of("?p") + match.payload_of("?q"));
                      return true;
                    }),
      language.rule("shift-number", "shift{?p}(num{?n})", "?value", [&](EGraph& graph, Match& match) {
        const long value = language.number_of(match.payload_of("?n")) << match.payload_of("?p");
        match.bind("?value", graph.add(language.num(), language.payload_of(value)));
        return true;
      })};
  EGraph graph(language.symbols);
  const ClassId twice = language.add(graph, "add(add(x, x), add(x, x))");
  const ClassId number = language.add(graph, "add(add(5, 5), add(5, 5))");
  EXPECT_EQ(run(graph, rules).stop_reason, StopReason::kSaturated);
  EXPECT_TRUE(graph.same(twice, graph.add(language.symbols.intern("shift"), 2, {language.add(graph, "x")})));
  EXPECT_TRUE(graph.same(number, language.add(graph, "20")));
}

TEST(Rewrite, PayloadsOnTheRightAreZeroUnlessNamed) {
  Arithmetic language;
  EGraph graph(language.symbols);
  const ClassId x = language.add(graph, "x");
  const ClassId f = graph.add(language.symbols.intern("f"), 3, {x});
  const std::vector<Rewrite> rules = {language.rule("keep", "f{?p}(?x)", "g{?p}(?x)"),
                                      language.rule("drop", "f(?x)", "h(?x)")};
  run(graph, rules);
  EXPECT_EQ(graph.lookup(language.symbols.intern("g"), 3, {x}), graph.find(f));
  EXPECT_EQ(graph.lookup(language.symbols.intern("h"), 0, {x}), graph.find(f));
}

// Two products with the same left factor become halves of one wide product.
TEST(Rewrite, SeveralRootsAreRewrittenTogether) {
  Arithmetic language;
  EGraph graph(language.symbols);
  const ClassId q = language.add(graph, "matmul(x, u)");
  const ClassId k = language.add(graph, "matmul(x, v)");
  const ClassId other = language.add(graph, "matmul(y, w)");
  const std::vector<Rewrite> rules = {language.rule(
      "merge-matmuls", "?a = matmul(?x, ?u); ?b = matmul(?x, ?v)",
      "?b = right(matmul(?x, concat(?u, ?v))); ?a = left(matmul(?x, concat(?u, ?v)))", [](EGraph& g, Match& match) {
        EXPECT_EQ(match.roots[0], match.class_of("?a"));
        EXPECT_EQ(match.roots[1], match.class_of("?b"));
        return !g.same(match.class_of("?u"), match.class_of("?v")) &&
               g.symbols().name(g.nodes(match.class_of("?u"))[0].op) != "concat" &&
               g.symbols().name(g.nodes(match.class_of("?v"))[0].op) != "concat";
      })};
  EXPECT_EQ(run(graph, rules).stop_reason, StopReason::kSaturated);
  EXPECT_TRUE(graph.same(q, language.add(graph, "left(matmul(x, concat(u, v)))")));
  EXPECT_TRUE(graph.same(k, language.add(graph, "right(matmul(x, concat(u, v)))")));
  EXPECT_TRUE(graph.same(k, language.add(graph, "left(matmul(x, concat(v, u)))"))) << "the other order";
  EXPECT_EQ(graph.nodes(other).size(), 1u);
}

// split{?p}(?x) into halves of ?p: both ways, and of 0 nothing is left.
Rewrite halves(Arithmetic& language) {
  Rewrite rule =
      language.rule("halves", "split{?p}(?x)", "join{?u}(split{?q}(?x))", [](EGraph&, Match&) { return true; });
  rule.choices = [](EGraph&, const Match& match) {
    std::vector<Match> ways;
    const Payload parts = match.payload_of("?p");
    for (Payload some = 0; some < parts; ++some) {
      Match& way = ways.emplace_back(match);
      way.bind_payload("?q", some == 0 ? kIdentity : some);
      way.bind_payload("?u", some + 1 == parts ? kIdentity : parts - some);
    }
    return ways;
  };
  return rule;
}

TEST(Rewrite, AMatchIsRewrittenInEachOfItsWays) {
  for (const bool explanations : {false, true}) {
    Arithmetic language;
    EGraph graph(language.symbols, nullptr, explanations);
    const Symbol split = language.symbols.intern("split"), join = language.symbols.intern("join");
    const ClassId x = language.add(graph, "x");
    const ClassId whole = graph.add(split, 3, {x});
    const ClassId other = graph.add(split, 0, {language.add(graph, "y")});
    const std::vector<Rewrite> rules = {halves(language)};
    const RunReport report = run(graph, rules);
    EXPECT_EQ(report.stop_reason, StopReason::kSaturated);
    EXPECT_EQ(graph.lookup(join, 3, {x}), graph.find(whole)) << "an operator is the identity, within";
    EXPECT_EQ(graph.lookup(join, 2, {graph.add(split, 1, {x})}), graph.find(whole)) << "neither";
    EXPECT_EQ(graph.lookup(split, 2, {x}), graph.find(whole)) << "and at the root";
    EXPECT_EQ(graph.nodes(other).size(), 1u) << "no way at all";
    if (!explanations) continue;
    const auto explanation = explain(graph, whole, graph.add(join, 3, {x}));
    ASSERT_TRUE(explanation);
    const ProofCheck check = check_proof(*explanation, rules);
    EXPECT_TRUE(check.valid) << check.message;
    EXPECT_GT(check.guarded_steps, 0u);
    // Without choices no operator vanishes.
    std::vector<Rewrite> strict = {halves(language)};
    strict[0].choices = {};
    EXPECT_FALSE(check_proof(*explanation, strict).valid);
  }
}

TEST(Rewrite, MistakesNameTheRule) {
  Arithmetic language;
  const auto message = [&](std::string_view lhs, std::string_view rhs) -> std::string {
    try {
      language.rule("wrong", lhs, rhs);
    } catch (const std::logic_error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message("f(?x)", "g(?y)"), "rule wrong: nothing binds ?y");
  EXPECT_EQ(message("f(?x)", "g{?p}(?x)"), "rule wrong: nothing binds ?p");
  EXPECT_EQ(message("?a = f(?x); ?b = g(?x)", "h(?x)"), "rule wrong: the right side doesn't say which root it equals");
  EXPECT_EQ(message("?a = f(?x)", "?b = h(?x)"), "rule wrong: ?b isn't on the left side");
  EXPECT_EQ(message("f(?x", "?x").substr(0, 23), "rule wrong, left side: ");
  EXPECT_EQ(message("f(?x)", "g(?x)"), "");
}

TEST(Rewrite, AGuardThatBindsTooLittleIsAMistake) {
  Arithmetic language;
  EGraph graph(language.symbols);
  language.add(graph, "f(x)");
  const std::vector<Rewrite> rules = {language.rule("r", "f(?x)", "g(?y)", [](EGraph&, Match&) { return true; })};
  EXPECT_THROW(run(graph, rules), std::logic_error);
  const std::vector<Rewrite> typo = {
      language.rule("r", "f(?x)", "g(?x)", [](EGraph&, Match& match) { return match.class_of("?z") != 0; })};
  EXPECT_THROW(run(graph, typo), std::logic_error);
}

}  // namespace
}  // namespace strata::egraph
