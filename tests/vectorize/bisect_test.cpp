// SPDX-License-Identifier: Apache-2.0
#include "vectorize/bisect.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/register.h"

namespace strata::vectorize {
namespace {

constexpr const char* kModule = R"(module m {
  symbol seq in 1..64
  func @main(%x: f32[seq, 32], %y: f32[seq, 32]) {
    %0 = weight "w" : bf16[32, 32]
    %1 = add(%x, %y) : f32[seq, 32]
    %2 = matmul_nt(%1, %0) : f32[seq, 32]
    %3 = sub(%2, %x) : f32[seq, 32]
    %4 = silu(%3) : f32[seq, 32]
    return %4
  }
}
)";

ir::Module module() {
  ops::register_all();
  return ir::parse_module(kModule, "test");
}

TEST(Bisect, RightRulesHold) {
  const machine::Machine machine = machine::load("avx512-zen5");
  const Bisection found = bisect(module(), all_rules(machine));
  EXPECT_EQ(found.guilty_rule, "");
  EXPECT_EQ(found.wrong, 0u);
  EXPECT_GT(found.terms, 20u);
}

// Among all the right ones, a wrong rule is found by its consequences, which other rules carry through the graph.
TEST(Bisect, FindsTheGuiltyRuleAmongAll) {
  const machine::Machine machine = machine::load("avx512-zen5");
  for (const auto& [lhs, rhs] : {std::pair("sub(?a, ?b)", "sub(?b, ?a)"), std::pair("silu(?a)", "?a"),
                                 std::pair("add(?a, ?b)", "mul(?a, ?b)")}) {
    SCOPED_TRACE(lhs);
    const auto rules = [&](rules::TensorGraph& tensors) {
      std::vector<egraph::Rewrite> all = all_rules(machine)(tensors);
      all.insert(all.begin() + 3, egraph::make_rewrite(tensors.symbols(), "wrong-rule", lhs, rhs));
      return all;
    };
    const Bisection found = bisect(module(), rules, {.iterations = 6, .nodes = 2'000});
    EXPECT_EQ(found.guilty_rule, "wrong-rule");
    EXPECT_GT(found.wrong, 0u);
    EXPECT_GT(found.error, 0.1);
    EXPECT_NE(found.proof.find("=> wrong-rule"), std::string::npos) << found.proof;
    EXPECT_EQ(std::count(found.proof.begin(), found.proof.end(), '\n'), 3) << "one step is enough:\n" << found.proof;
  }
}

// A small error is no rounding where nothing is rounded: 0.4 % of what is added up in f32.
TEST(Bisect, FindsASmallError) {
  const machine::Machine machine = machine::load("avx512-zen5");
  const auto rules = [&](rules::TensorGraph& tensors) {
    std::vector<egraph::Rewrite> all = all_rules(machine)(tensors);
    const auto factor = [&tensors](egraph::EGraph&, egraph::Match& match) {
      match.bind("?c", tensors.scalar(1.004, DType::kF32));
      return true;
    };
    all.push_back(egraph::make_rewrite(tensors.symbols(), "wrong-rule", "add(?a, ?b)", "mul(add(?a, ?b), ?c)", factor));
    return all;
  };
  const Bisection found = bisect(module(), rules, {.iterations = 4, .nodes = 2'000});
  EXPECT_EQ(found.guilty_rule, "wrong-rule");
  EXPECT_LT(found.error, 0.005);
}

// What a guard merges by itself is a step of the rule too.
TEST(Bisect, FindsARuleThatMergesInItsGuard) {
  const auto rules = [](rules::TensorGraph& tensors) {
    const egraph::Symbol reason = tensors.symbols().intern("merging");
    const auto guard = [reason](egraph::EGraph& graph, egraph::Match& match) {
      graph.merge(match.class_of("?a"), match.class_of("?r"), reason);
      return false;
    };
    return std::vector<egraph::Rewrite>{
        egraph::make_rewrite(tensors.symbols(), "merging", "?r = add(?a, ?b)", "?r = ?none", guard)};
  };
  EXPECT_EQ(bisect(module(), rules).guilty_rule, "merging");
}

}  // namespace
}  // namespace strata::vectorize
