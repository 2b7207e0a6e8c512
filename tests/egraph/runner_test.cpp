// SPDX-License-Identifier: Apache-2.0
#include "egraph/runner.h"

#include <gtest/gtest.h>

#include "arithmetic.h"
#include "egraph/dump.h"

namespace strata::egraph {
namespace {

std::vector<Rewrite> sums(Arithmetic& language) {
  return {language.rule("commute", "add(?x, ?y)", "add(?y, ?x)"),
          language.rule("associate", "add(?x, add(?y, ?z))", "add(add(?x, ?y), ?z)")};
}

constexpr const char* kSum = "add(a, add(b, add(c, add(d, add(e, add(f, add(g, h)))))))";

TEST(Runner, SaturatesAndCounts) {
  Arithmetic language;
  EGraph graph(language.symbols);
  language.add(graph, "add(a, add(b, add(c, add(d, e))))");
  const RunReport report = run(graph, sums(language));
  EXPECT_EQ(report.stop_reason, StopReason::kSaturated);
  // A class per non-empty set of the five summands; a set of n has 2^n - 2 ordered splits, a leaf one node.
  EXPECT_EQ(report.classes, 31u);
  EXPECT_EQ(report.nodes, 5u + 10 * 2 + 10 * 6 + 5 * 14 + 30);
  ASSERT_EQ(report.rules.size(), 2u);
  EXPECT_EQ(report.rules[0].name, "commute");
  EXPECT_GT(report.rules[0].applications, 0u);
  EXPECT_LE(report.rules[0].applications, report.rules[0].matches);
  EXPECT_EQ(report.iterations.back().applications, 0u) << "the last iteration finds nothing new";
  EXPECT_EQ(report.memory_bytes, graph.memory_bytes());
  // Nothing else searches, applies or adds.
  EXPECT_EQ(report.rules[0].steps + report.rules[1].steps, report.steps);
  EXPECT_GE(report.rules[0].nodes + report.rules[1].nodes, report.nodes - 9) << "five leaves and four sums were there";
  EXPECT_LT(report.rules[0].nodes, report.rules[0].applications + 1) << "one application adds one sum at most";
}

TEST(Runner, StopsAtEachLimit) {
  const auto stop = [](const RunnerLimits& limits) {
    Arithmetic language;
    EGraph graph(language.symbols);
    language.add(graph, kSum);
    const RunReport report = run(graph, sums(language), limits, {.back_off = false});
    EXPECT_TRUE(graph.is_clean());
    return std::pair(report.stop_reason, report);
  };
  EXPECT_EQ(stop({.iterations = 100, .nodes = 100'000}).first, StopReason::kSaturated);
  const auto [iterations, iteration_report] = stop({.iterations = 2, .nodes = 100'000});
  EXPECT_EQ(iterations, StopReason::kIterationLimit);
  EXPECT_EQ(iteration_report.iterations.size(), 2u);
  const auto [nodes, node_report] = stop({.iterations = 100, .nodes = 300});
  EXPECT_EQ(nodes, StopReason::kNodeLimit);
  EXPECT_LE(node_report.nodes, 302u);
  EXPECT_EQ(stop({.iterations = 100, .nodes = 100'000, .steps = 0}).first, StopReason::kStepLimit);
  const auto [steps, step_report] = stop({.iterations = 100, .nodes = 100'000, .steps = 1'000});
  EXPECT_EQ(steps, StopReason::kStepLimit);
  EXPECT_EQ(step_report.steps, 1'000u);
  EXPECT_EQ(to_string(StopReason::kNodeLimit), "node limit");
}

// A cross product of 400^4 choices, none of which leads to a match: steps are counted inside the search.
TEST(Runner, TheStepLimitEndsASearch) {
  Arithmetic language;
  EGraph graph(language.symbols);
  for (int i = 0; i < 400; ++i) language.add(graph, "f(" + std::to_string(i) + ")");
  const std::vector<Rewrite> rules = {
      language.rule("product", "?a = f(?x); ?b = f(?y); ?c = f(?z); ?d = f(?w); ?e = g(?v)", "?a = f(?x)")};
  const RunReport report = run(graph, rules, {.steps = 1'000'000});
  EXPECT_EQ(report.stop_reason, StopReason::kStepLimit);
  EXPECT_EQ(report.steps, 1'000'000u);
}

TEST(Runner, BackOffLetsOtherRulesHaveTheirTurn) {
  Arithmetic language;
  std::vector<Rewrite> rules = sums(language);
  rules.push_back(language.rule("count-down", "s(?x)", "?x"));
  const auto report_with = [&](const SchedulerOptions& scheduler) {
    EGraph graph(language.symbols);
    language.add(graph, kSum);
    const ClassId start = language.add(graph, "s(s(s(s(s(s(t))))))");
    const RunReport report = run(graph, rules, {.iterations = 8, .nodes = 400}, scheduler);
    EXPECT_TRUE(graph.same(start, language.add(graph, "t")));
    return report;
  };
  const RunReport banned = report_with({.match_limit = 8, .ban_length = 2});
  EXPECT_GT(banned.rules[0].bans + banned.rules[1].bans, 0u);
  EXPECT_EQ(banned.rules[2].bans, 0u);
  const RunReport all = report_with({.back_off = false});
  EXPECT_EQ(all.rules[0].bans, 0u);
  EXPECT_GT(all.nodes, banned.nodes);
}

// A ban delays, it doesn't end a run early.
TEST(Runner, BannedRulesReturnBeforeSaturation) {
  Arithmetic language;
  EGraph graph(language.symbols);
  const ClassId left = language.add(graph, "add(a, add(b, add(c, d)))");
  const RunReport report =
      run(graph, sums(language), {.iterations = 100, .nodes = 10'000}, {.match_limit = 2, .ban_length = 50});
  EXPECT_EQ(report.stop_reason, StopReason::kSaturated);
  EXPECT_GT(report.rules[0].bans, 0u);
  EXPECT_TRUE(graph.same(left, language.add(graph, "add(add(d, c), add(b, a))")));
}

// Also where it ends by itself just when nothing else is left to do.
TEST(Runner, ABanThatEndsWithTheLastChangeIsNotForgotten) {
  for (std::size_t length = 0; length < 8; ++length) {
    Arithmetic language;
    std::vector<Rewrite> rules = {language.rule("banned", "f(?x)", "g(?x)"), language.rule("count", "s(?x)", "?x")};
    EGraph graph(language.symbols);
    const ClassId banned = language.add(graph, "p(f(a), f(b))");
    language.add(graph, "s(s(s(c)))");
    const RunReport report = run(graph, rules, {}, {.match_limit = 1, .ban_length = length});
    EXPECT_EQ(report.stop_reason, StopReason::kSaturated);
    EXPECT_TRUE(graph.same(banned, language.add(graph, "p(g(a), g(b))"))) << "banned for " << length;
  }
}

TEST(Runner, ARuleMayHaveItsOwnMatchLimit) {
  Arithmetic language;
  std::vector<Rewrite> rules = sums(language);
  rules[1].match_limit = 1;
  EGraph graph(language.symbols);
  language.add(graph, kSum);
  const RunReport report = run(graph, rules, {.iterations = 1});
  EXPECT_EQ(report.rules[0].bans, 0u);
  EXPECT_EQ(report.rules[1].bans, 1u);
}

TEST(Runner, AppliedMatchesOfGuardedRulesAreNotRepeated) {
  Arithmetic language;
  std::vector<Rewrite> rules = {language.rule("count-down", "s(?x)", "?x")};
  int asked = 0;
  rules.push_back(language.rule("guarded", "f(?x)", "g(?x)", [&](EGraph&, Match&) {
    ++asked;
    return true;
  }));
  EGraph graph(language.symbols);
  language.add(graph, "p(f(a), p(f(b), s(s(s(c)))))");
  EXPECT_EQ(run(graph, rules).stop_reason, StopReason::kSaturated);
  EXPECT_EQ(asked, 2);
}

TEST(Runner, RunsAreReproducible) {
  const auto dump = [] {
    Arithmetic language;
    FoldConstants fold(language);
    EGraph graph(language.symbols, &fold);
    language.add(graph, "add(add(a, 1), add(b, add(2, add(c, 3))))");
    run(graph, sums(language), {.iterations = 5, .nodes = 500}, {.match_limit = 20});
    return to_json(graph);
  };
  const auto padding = std::make_unique<std::vector<char>>(12'345);  // other addresses
  const std::string first = dump();
  const auto more = std::make_unique<std::vector<char>>(777);
  EXPECT_EQ(first, dump());
}

}  // namespace
}  // namespace strata::egraph
