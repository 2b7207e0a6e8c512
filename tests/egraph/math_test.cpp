// SPDX-License-Identifier: Apache-2.0
// The rules of the benchmark find what a student of calculus would.
#include <gtest/gtest.h>

#include "bench/math_rules.h"
#include "egraph/runner.h"

namespace strata::egraph {
namespace {

bool proves(std::string_view start, std::string_view goal) {
  MathLanguage language;
  MathAnalysis analysis(language);
  EGraph graph(language.symbols, &analysis);
  const ClassId from = language.add(graph, start);
  const ClassId to = language.add(graph, goal);
  run(graph, math_rules(language, analysis), {.iterations = 30, .nodes = 20'000});
  return graph.same(from, to);
}

TEST(Math, Simplifies) {
  EXPECT_TRUE(proves("add(x, add(x, add(x, x)))", "mul(4, x)"));
  EXPECT_TRUE(proves("sub(mul(x, y), mul(y, x))", "0"));
  EXPECT_TRUE(proves("mul(pow(2, x), pow(2, y))", "pow(2, add(x, y))"));
  EXPECT_FALSE(proves("mul(pow(2, x), pow(3, y))", "pow(6, add(x, y))"));
}

TEST(Math, Derives) {
  EXPECT_TRUE(proves("d(x, add(1, mul(2, x)))", "2"));
  EXPECT_TRUE(proves("d(x, add(1, mul(y, x)))", "y"));
  EXPECT_TRUE(proves("d(x, pow(x, 3))", "mul(3, pow(x, 2))"));
  EXPECT_FALSE(proves("d(x, pow(x, 3))", "mul(2, pow(x, 2))"));
  EXPECT_FALSE(proves("d(x, mul(y, x))", "x"));
}

TEST(Math, Integrates) {
  EXPECT_TRUE(proves("i(cos(x), x)", "sin(x)"));
  EXPECT_TRUE(proves("i(pow(x, 1), x)", "div(pow(x, 2), 2)"));
  EXPECT_TRUE(proves("i(mul(x, cos(x)), x)", "add(mul(x, sin(x)), cos(x))"));
  EXPECT_FALSE(proves("i(mul(x, cos(x)), x)", "add(mul(x, cos(x)), sin(x))"));
}

}  // namespace
}  // namespace strata::egraph
