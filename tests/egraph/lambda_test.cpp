// SPDX-License-Identifier: Apache-2.0
// A lambda calculus with numbers: substitution by rules whose guards look at free variables and invent names.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "arithmetic.h"
#include "egraph/explain.h"
#include "egraph/runner.h"

namespace strata::egraph {
namespace {

// var{name}, lam{name}(body), let{name}(value, body), app(function, argument), add(a, b), num{n}.
class FreeVariables : public FoldConstants {
 public:
  using FoldConstants::FoldConstants;

  // A superset of the variables on which the class's value depends; merging can only shrink it.
  const std::set<Payload>& free(const EGraph& graph, ClassId id) const { return free_.at(graph.find(id)); }
  bool is_free(const EGraph& graph, ClassId id, Payload name) const { return free(graph, id).contains(name); }

  bool make(const EGraph& graph, ClassId id, const ENode& node) override {
    const bool folded = FoldConstants::make(graph, id, node);
    std::set<Payload> names = free_names(graph, node);
    if (free_.size() <= id) {
      free_.resize(id + 1);
      free_[id] = std::move(names);
      return true;
    }
    return intersect(free_[id], names) || folded;
  }
  AnalysisMerge merge(const EGraph& graph, ClassId into, ClassId from) override {
    AnalysisMerge result = FoldConstants::merge(graph, into, from);
    result.into_changed |= intersect(free_[into], free_[from]);
    result.from_differs |= free_[into] != free_[from];
    return result;
  }

 private:
  static bool intersect(std::set<Payload>& names, const std::set<Payload>& others) {
    return std::erase_if(names, [&](Payload name) { return !others.contains(name); }) > 0;
  }

  std::set<Payload> free_names(const EGraph& graph, const ENode& node) const {
    const std::string& op = graph.symbols().name(node.op);
    if (op == "var") return {node.payload};
    std::set<Payload> names;
    if (!node.children.empty()) names = free(graph, node.children.back());
    if (op == "lam" || op == "let") names.erase(node.payload);
    if (node.children.size() == 2) {
      const std::set<Payload>& others = free(graph, node.children.front());
      names.insert(others.begin(), others.end());
    }
    return names;
  }

  std::vector<std::set<Payload>> free_;
};

class Lambda : public Arithmetic {
 public:
  FreeVariables analysis{*this};

  std::vector<Rewrite> rules() {
    const Guard differ = [](EGraph&, Match& match) { return match.payload_of("?v") != match.payload_of("?w"); };
    return {rule("beta", "app(lam{?v}(?body), ?e)", "let{?v}(?e, ?body)"),
            rule("let-app", "let{?v}(?e, app(?a, ?b))", "app(let{?v}(?e, ?a), let{?v}(?e, ?b))"),
            rule("let-add", "let{?v}(?e, add(?a, ?b))", "add(let{?v}(?e, ?a), let{?v}(?e, ?b))"),
            rule("let-var-same", "let{?v}(?e, var{?v})", "?e"),
            rule("let-var-other", "let{?v}(?e, var{?w})", "var{?w}", differ),
            rule("let-unused", "let{?v}(?e, ?body)", "?body",
                 [this](EGraph& graph, Match& match) {
                   return !analysis.is_free(graph, match.class_of("?body"), match.payload_of("?v"));
                 }),
            rule("let-lam", "let{?v}(?e, lam{?w}(?body))", "lam{?w}(let{?v}(?e, ?body))",
                 [this](EGraph& graph, Match& match) {
                   return match.payload_of("?v") != match.payload_of("?w") &&
                          !analysis.is_free(graph, match.class_of("?e"), match.payload_of("?w"));
                 }),
            rule("let-lam-rename", "let{?v}(?e, lam{?w}(?body))", "lam{?u}(let{?v}(?e, let{?w}(var{?u}, ?body)))",
                 [this](EGraph& graph, Match& match) { return rename(graph, match); })};
  }

  ClassId var(EGraph& graph, std::string_view name) { return graph.add(symbols.intern("var"), name_of(name)); }
  ClassId lam(EGraph& graph, std::string_view name, ClassId body) {
    return graph.add(symbols.intern("lam"), name_of(name), {body});
  }
  ClassId let(EGraph& graph, std::string_view name, ClassId value, ClassId body) {
    return graph.add(symbols.intern("let"), name_of(name), {value, body});
  }
  ClassId call(EGraph& graph, ClassId function, ClassId argument) {
    return graph.add(symbols.intern("app"), 0, {function, argument});
  }
  ClassId sum(EGraph& graph, ClassId a, ClassId b) { return graph.add(symbols.intern("add"), 0, {a, b}); }
  ClassId number(EGraph& graph, long value) { return graph.add(num(), payload_of(value)); }

 private:
  Payload name_of(std::string_view name) { return symbols.intern(name) + 1; }

  // The bound name would capture a variable of the value: a new one takes its place.
  bool rename(EGraph& graph, Match& match) {
    const Payload w = match.payload_of("?w");
    if (match.payload_of("?v") == w || !analysis.is_free(graph, match.class_of("?e"), w)) return false;
    match.bind_payload("?u", name_of("fresh" + std::to_string(++fresh_)));
    return true;
  }

  int fresh_ = 0;
};

class LambdaTest : public testing::Test {
 protected:
  RunReport saturate() { return run(graph, rules, {.iterations = 30, .nodes = 20'000}); }
  ClassId v(const char* name) { return language.var(graph, name); }
  ClassId n(long value) { return language.number(graph, value); }

  Lambda language;
  EGraph graph{language.symbols, &language.analysis, true};
  std::vector<Rewrite> rules = language.rules();
};

TEST_F(LambdaTest, BetaReducesToANumber) {
  const ClassId increment = language.lam(graph, "x", language.sum(graph, v("x"), n(1)));
  const ClassId result = language.call(graph, increment, language.call(graph, increment, n(3)));
  saturate();
  EXPECT_EQ(language.analysis.value(graph, result), 5);
  EXPECT_EQ(language.analysis.contradictions, 0);
}

TEST_F(LambdaTest, ComposesFunctions) {
  const ClassId body = language.call(graph, v("f"), language.call(graph, v("g"), v("x")));
  const ClassId compose = language.lam(graph, "f", language.lam(graph, "g", language.lam(graph, "x", body)));
  const ClassId increment = language.lam(graph, "y", language.sum(graph, v("y"), n(1)));
  const ClassId twice = language.call(graph, language.call(graph, compose, increment), increment);
  const ClassId result = language.call(graph, twice, n(40));
  saturate();
  EXPECT_TRUE(
      graph.same(twice, language.lam(graph, "x", language.sum(graph, language.sum(graph, v("x"), n(1)), n(1)))));
  EXPECT_EQ(language.analysis.value(graph, result), 42);
  const auto explanation = explain(graph, result, n(42));
  ASSERT_TRUE(explanation);
  const ProofCheck check = check_proof(
      *explanation, rules, [](const TermTable&, const ProofStep& step) { return step.rule == "fold-constants"; });
  EXPECT_TRUE(check.valid) << check.message << "\n" << explanation->text(language.symbols);
  EXPECT_GT(check.rule_steps + check.guarded_steps, 5u);
  EXPECT_GT(check.assumed_steps, 0u);
}

// let x = y in (lam y. x + y) is lam z. y + z, and never lam y. y + y.
TEST_F(LambdaTest, SubstitutionCapturesNothing) {
  const ClassId function = language.lam(graph, "y", language.sum(graph, v("x"), v("y")));
  const ClassId substituted = language.let(graph, "x", v("y"), function);
  const ClassId result = language.call(graph, substituted, n(5));
  const ClassId captured = language.lam(graph, "y", language.sum(graph, v("y"), v("y")));
  const ClassId wrong = language.call(graph, captured, n(5));
  const RunReport report = saturate();
  EXPECT_TRUE(graph.same(result, language.sum(graph, v("y"), n(5))));
  EXPECT_FALSE(graph.same(substituted, captured));
  EXPECT_EQ(language.analysis.value(graph, wrong), 10);
  EXPECT_EQ(language.analysis.value(graph, result), std::nullopt);
  const auto rename = std::ranges::find(report.rules, "let-lam-rename", &RuleReport::name);
  EXPECT_EQ(rename->applications, 1u) << "one new name is enough";
}

TEST_F(LambdaTest, InnerBindingsShadowOuterOnes) {
  const ClassId identity = language.lam(graph, "x", v("x"));
  const ClassId outer = language.call(graph, language.lam(graph, "x", identity), n(1));
  const ClassId result = language.call(graph, outer, n(2));
  saturate();
  EXPECT_TRUE(graph.same(outer, identity));
  EXPECT_EQ(language.analysis.value(graph, result), 2);
}

TEST_F(LambdaTest, FreeVariablesShrinkByMerging) {
  const ClassId sum = language.sum(graph, v("x"), v("y"));
  const ClassId function = language.lam(graph, "x", sum);
  EXPECT_EQ(language.analysis.free(graph, sum).size(), 2u);
  EXPECT_EQ(language.analysis.free(graph, function).size(), 1u);
  graph.merge(v("y"), n(7));
  graph.rebuild();
  EXPECT_EQ(language.analysis.free(graph, sum).size(), 1u);
  EXPECT_TRUE(language.analysis.free(graph, function).empty());
}

}  // namespace
}  // namespace strata::egraph
