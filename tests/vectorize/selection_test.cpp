// SPDX-License-Identifier: Apache-2.0
#include "vectorize/selection.h"

#include <gtest/gtest.h>

#include "../extract/every_choice.h"
#include "egraph/runner.h"
#include "ir/text.h"
#include "ops/register.h"
#include "rules/algebra.h"
#include "vectorize/layout_rules.h"

namespace strata::vectorize {
namespace {

// Programs so small that all plans in their e-graphs can be tried.
constexpr const char* kSmall[] = {
    R"(func @main(%x: f32[3, 32]) {
    %0 = exp(%x) : f32[3, 32]
    %1 = neg(%0) : f32[3, 32]
    return %1
  })",
    R"(func @main(%x: f32[1, 32]) {
    %0 = weight "w" : bf16[32, 32]
    %1 = matmul_nt(%x, %0) : f32[1, 32]
    return %1
  })",
    R"(func @main(%x: f32[8, 32]) {
    %0 = weight "w" : bf16[32, 32]
    %1 = matmul_nt(%x, %0) : f32[8, 32]
    %2 = silu(%1) : f32[8, 32]
    return %2
  })",
    R"(func @main(%x: f32[2, 16]) {
    %0 = weight "norm" : f32[16]
    %1 = rms_norm(%x, %0) {eps = 1e-06} : f32[2, 16]
    %2 = add(%x, %1) : f32[2, 16]
    return %2
  })",
    R"(func @main(%x: f32[1, 16]) {
    %0 = weight "a" : f32[16, 16]
    %1 = weight "b" : f32[32, 16]
    %2 = matmul_nt(%x, %0) : f32[1, 16]
    %3 = matmul_nt(%x, %1) : f32[1, 32]
    return %2, %3
  })",
};

// No plan among the candidates is cheaper, by the objective that the search minimises.
TEST(Selection, NoPlanIsBetter) {
  ops::register_all();
  for (const char* const text : kSmall) {
    SCOPED_TRACE(text);
    const ir::Module module = ir::parse_module("module m {\n  " + std::string(text) + "\n}\n", "test");
    ProgramGraph program({{"all", &module, {"main"}, 100, {}}});
    const machine::Machine machine = machine::load("avx512-zen5");
    std::vector<egraph::Rewrite> rules = rules::algebra_rules(program.tensors());
    for (egraph::Rewrite& rule : layout_rules(program.tensors(), machine)) rules.push_back(std::move(rule));
    ASSERT_EQ(egraph::run(program.tensors().graph(), rules, {.iterations = 30, .nodes = 100'000}).stop_reason,
              egraph::StopReason::kSaturated);
    const Selection selection(program, machine, {});
    const double least = extract::testing::least_cost(selection.problem());
    EXPECT_NEAR(selection.solution().objective, least, 1e-9 * least);
    EXPECT_EQ(selection.solution().method, extract::Method::kOptimal);
    EXPECT_GT(selection.problem().classes.size(), 5u);
  }
}

}  // namespace
}  // namespace strata::vectorize
