// SPDX-License-Identifier: Apache-2.0
#include "egraph/explain.h"

#include <gtest/gtest.h>

#include "arithmetic.h"
#include "egraph/runner.h"
#include "random_terms.h"

namespace strata::egraph {
namespace {

bool accept_all(const TermTable&, const ProofStep&) { return true; }

TEST(Explain, RuleAndCongruence) {
  Arithmetic language;
  const std::vector<Rewrite> rules = {language.rule("commute", "add(?x, ?y)", "add(?y, ?x)"),
                                      language.rule("add-zero", "add(?x, 0)", "?x")};
  EGraph graph(language.symbols, nullptr, true);
  const ClassId start = language.add(graph, "f(add(0, x))");
  const ClassId goal = language.add(graph, "f(x)");
  run(graph, rules);
  const auto explanation = explain(graph, start, goal);
  ASSERT_TRUE(explanation);
  const ProofCheck check = check_proof(*explanation, rules);
  EXPECT_TRUE(check.valid) << check.message;
  EXPECT_EQ(check.rule_steps, 2u);
  EXPECT_EQ(explanation->proof.steps[0].position, std::vector<std::uint32_t>{0});
  EXPECT_EQ(explanation->proof.steps[0].rule, "commute");
  EXPECT_EQ(explanation->proof.steps[1].rule, "add-zero");
  EXPECT_NE(explanation->text(language.symbols).find("= by commute at /0: add(num{"), std::string::npos);
  EXPECT_FALSE(explain(graph, start, language.add(graph, "f(y)"))) << "they aren't equal";
}

TEST(Explain, GivenEqualitiesAreAssumptions) {
  Symbols symbols;
  EGraph graph(symbols, nullptr, true);
  graph.merge(add_term(graph, "a"), add_term(graph, "b"));
  const ClassId left = add_term(graph, "f(g(a), a)");
  const ClassId right = add_term(graph, "f(g(b), b)");
  graph.rebuild();
  const auto explanation = explain(graph, left, right);
  ASSERT_TRUE(explanation);
  EXPECT_FALSE(check_proof(*explanation, {}).valid) << "nobody vouches for them";
  const ProofCheck check = check_proof(*explanation, {}, [&](const TermTable& terms, const ProofStep& step) {
    return step.rule == "given" && symbols.name(terms[step.before].op) == "a" &&
           symbols.name(terms[step.after].op) == "b";
  });
  EXPECT_TRUE(check.valid) << check.message;
  EXPECT_EQ(check.assumed_steps, 2u);
}

std::vector<Rewrite> ring(Arithmetic& language, FoldConstants& fold) {
  const Guard is_constant = [&](EGraph& graph, Match& match) {
    return fold.value(graph, match.class_of("?c")).has_value();
  };
  return {language.rule("commute-add", "add(?x, ?y)", "add(?y, ?x)"),
          language.rule("commute-mul", "mul(?x, ?y)", "mul(?y, ?x)"),
          language.rule("associate", "add(?x, add(?y, ?z))", "add(add(?x, ?y), ?z)"),
          language.rule("distribute", "mul(?x, add(?y, ?z))", "add(mul(?x, ?y), mul(?x, ?z))"),
          language.rule("factor", "add(mul(?x, ?y), mul(?x, ?z))", "mul(?x, add(?y, ?z))"),
          language.rule("add-zero", "add(?x, 0)", "?x"),
          language.rule("mul-one", "?x", "mul(?x, 1)"),
          language.rule("neg-constant", "neg(?c)", "mul(?c, -1)", is_constant),
          language.rule("split", "mul(num{?n}, ?x)", "add(mul(?half, ?x), mul(?half, ?x))",
                        [&](EGraph& graph, Match& match) {
                          const long number = language.number_of(match.payload_of("?n"));
                          if (number % 2 != 0 || number == 0) return false;
                          match.bind("?half", graph.add(language.num(), language.payload_of(number / 2)));
                          return true;
                        })};
}

// Every id of every class against its class's first one: terms that the rules made on the way included.
TEST(Explain, EveryEqualityOfARunHasAValidProof) {
  Arithmetic language;
  FoldConstants fold(language);
  EGraph graph(language.symbols, &fold, true);
  const ClassId start = language.add(graph, "add(mul(x, add(2, y)), neg(add(1, 2)))");
  const ClassId goal = language.add(graph, "add(add(mul(y, x), -3), mul(x, 2))");
  language.add(graph, "mul(add(z, 4), add(w, mul(x, 2)))");
  const auto rules = ring(language, fold);
  run(graph, rules, {.iterations = 12, .nodes = 3'000});
  EXPECT_TRUE(graph.same(start, goal));
  ASSERT_GT(graph.id_count(), 500u);
  std::size_t guarded = 0;
  for (ClassId id = 0; id < graph.id_count(); ++id) {
    if (graph.find(id) == id) continue;
    const auto explanation = explain(graph, id, graph.find(id));
    ASSERT_TRUE(explanation);
    const ProofCheck check = check_proof(
        *explanation, rules, [](const TermTable&, const ProofStep& step) { return step.rule == "fold-constants"; });
    ASSERT_TRUE(check.valid) << check.message << "\n" << explanation->text(language.symbols);
    guarded += check.guarded_steps;
  }
  EXPECT_GT(guarded, 0u);
}

TEST(Explain, RandomMergesHaveValidProofs) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    std::mt19937_64 random(seed);
    Symbols symbols;
    EGraph graph(symbols, nullptr, true);
    const auto ids = add_random_nodes(graph, random, 40);
    for (int i = 0; i < 5; ++i) graph.merge(ids[pick(random, ids.size())], ids[pick(random, ids.size())]);
    graph.rebuild();
    for (int i = 0; i < 50; ++i) {
      const ClassId a = ids[pick(random, ids.size())];
      const ClassId b = ids[pick(random, ids.size())];
      const auto explanation = explain(graph, a, b);
      ASSERT_EQ(explanation.has_value(), graph.same(a, b));
      if (!explanation) continue;
      const ProofCheck check = check_proof(*explanation, {}, accept_all);
      ASSERT_TRUE(check.valid) << check.message << ", seed " << seed;
    }
  }
}

// Two patterns about one class: that they are equal is a premise with a proof of its own.
TEST(Explain, ConditionsAreProved) {
  Arithmetic language;
  const std::vector<Rewrite> rules = {
      language.rule("commute", "add(?x, ?y)", "add(?y, ?x)"),
      language.rule("both", "?a = f(?x); ?a = g(?y)", "?a = both(?x, ?y)"),
      language.rule(
          "pair", "?a = matmul(?x, ?u); ?b = matmul(?x, ?v)",
          "?a = left(matmul(?x, cat(?u, ?v))); ?b = right(matmul(?x, cat(?u, ?v)), ?a)",
          [&](EGraph& graph, Match& match) { return !graph.same(match.class_of("?u"), match.class_of("?v")); })};
  EGraph graph(language.symbols, nullptr, true);
  const ClassId f = language.add(graph, "f(add(s, t))");
  const ClassId g = language.add(graph, "g(r)");
  graph.merge(language.add(graph, "f(add(t, s))"), g);
  const ClassId product = language.add(graph, "matmul(add(s, t), q)");
  const ClassId other = language.add(graph, "matmul(add(t, s), r)");
  run(graph, rules, {.iterations = 3});
  const auto is_given = [](const TermTable&, const ProofStep& step) { return step.rule == "given"; };
  const auto check = [&](ClassId a, std::string_view text) {
    const auto explanation = explain(graph, a, language.add(graph, text));
    ASSERT_TRUE(explanation) << text;
    const ProofCheck result = check_proof(*explanation, rules, is_given);
    EXPECT_TRUE(result.valid) << result.message << "\n" << explanation->text(language.symbols);
    Explanation without_premises = *explanation;
    for (ProofStep& step : without_premises.proof.steps) {
      if (step.rule != "both") continue;
      ASSERT_EQ(step.premises.size(), 1u);
      step.premises.clear();
      EXPECT_FALSE(check_proof(without_premises, rules, is_given).valid);
    }
  };
  check(f, "both(add(s, t), r)");
  check(g, "both(add(t, s), r)");
  check(product, "left(matmul(add(s, t), cat(q, r)))");
  check(other, "right(matmul(add(s, t), cat(q, r)), matmul(add(s, t), q))");
}

// What a wrong engine could produce must not pass.
TEST(Explain, WrongProofsAreRefused) {
  Arithmetic language;
  const std::vector<Rewrite> rules = {language.rule("commute", "add(?x, ?y)", "add(?y, ?x)"),
                                      language.rule("add-zero", "add(?x, 0)", "?x")};
  EGraph graph(language.symbols, nullptr, true);
  const ClassId start = language.add(graph, "f(add(0, add(x, y)))");
  const ClassId goal = language.add(graph, "f(add(y, x))");
  run(graph, rules);
  const auto explanation = explain(graph, start, goal);
  ASSERT_TRUE(explanation);
  ASSERT_TRUE(check_proof(*explanation, rules).valid);
  const auto refused = [&](const std::function<void(Explanation&)>& spoil) {
    Explanation wrong = *explanation;
    spoil(wrong);
    const ProofCheck check = check_proof(wrong, rules);
    EXPECT_EQ(check.message.empty(), check.valid);
    return !check.valid;
  };
  for (std::size_t i = 0; i < explanation->proof.steps.size(); ++i) {
    EXPECT_TRUE(refused([&](Explanation& e) { e.proof.steps.erase(e.proof.steps.begin() + static_cast<long>(i)); }));
    EXPECT_TRUE(refused([&](Explanation& e) { e.proof.steps[i].position.push_back(0); }));
    EXPECT_TRUE(refused([&](Explanation& e) { e.proof.steps[i].position.clear(); }));
    EXPECT_TRUE(refused([&](Explanation& e) { e.proof.steps[i].after = e.proof.start; }));
    EXPECT_TRUE(refused([&](Explanation& e) { e.proof.steps[i].after = 1'000; }));
    EXPECT_TRUE(refused([&](Explanation& e) { e.proof.steps[i].rule = "no such rule"; }));
  }
  EXPECT_TRUE(refused([](Explanation& e) { e.proof.goal = e.proof.start; }));
  EXPECT_TRUE(refused([](Explanation& e) {
    for (ProofStep& step : e.proof.steps) step.forward = step.rule == "add-zero" ? !step.forward : step.forward;
  }));
  EXPECT_TRUE(refused([](Explanation& e) {
    for (ProofStep& step : e.proof.steps) step.rule = step.rule == "add-zero" ? "commute" : "add-zero";
  }));
}

TEST(Explain, GivesUpAtItsLimit) {
  Symbols symbols;
  EGraph graph(symbols, nullptr, true);
  ClassId left = add_term(graph, "a");
  ClassId right = add_term(graph, "b");
  graph.merge(left, right);
  for (int i = 0; i < 40; ++i) {  // 2^40 places where a stands
    left = graph.add(symbols.intern("p"), 0, {left, left});
    right = graph.add(symbols.intern("p"), 0, {right, right});
  }
  graph.rebuild();
  EXPECT_TRUE(graph.same(left, right));
  EXPECT_FALSE(explain(graph, left, right, {.steps = 1'000}));
}

TEST(Explain, CostsNothingWhenOff) {
  Symbols symbols;
  EGraph graph(symbols);
  const ClassId a = add_term(graph, "a");
  EXPECT_EQ(graph.proofs(), nullptr);
  EXPECT_THROW(explain(graph, a, a), std::logic_error);
}

}  // namespace
}  // namespace strata::egraph
