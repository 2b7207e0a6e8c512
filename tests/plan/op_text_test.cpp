// SPDX-License-Identifier: Apache-2.0
#include "plan/op_text.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/register.h"

namespace strata::plan {
namespace {

class OpText : public testing::Test {
 protected:
  static void SetUpTestSuite() { ops::register_all(); }

  // Names in program order.
  std::vector<std::string> names(const std::string& text) {
    module_ = ir::parse_module(text, "test");
    const ir::Function& function = *module_.find("main");
    const auto by_value = op_names(function);
    std::vector<std::string> all;
    for (const ir::Expr* value : ir::topological_order(function)) {
      if (by_value.contains(value)) all.push_back(by_value.at(value));
    }
    return all;
  }

  ir::Module module_;
};

TEST_F(OpText, NamesComeFromWeightsThenFromWhereOperandsComeFrom) {
  EXPECT_EQ(names(R"(module m {
    func @main(%x: f32[4, 8], %q_proj.weight: f32[8, 8], %k_proj.weight: f32[8, 8], %q_proj.bias: f32[8]) {
      %0 = matmul_nt(%x, %q_proj.weight) : f32[4, 8]
      %1 = add(%0, %q_proj.bias) : f32[4, 8]
      %2 = silu(%1) : f32[4, 8]
      %3 = matmul_nt(%x, %k_proj.weight) : f32[4, 8]
      %4 = silu(%3) : f32[4, 8]
      %5 = silu(%4) : f32[4, 8]
      %6 = mul(%2, %5) : f32[4, 8]
      return %6
    }
  })"),
            (std::vector<std::string>{"q_proj", "q_proj.bias", "silu.q_proj.bias", "k_proj", "silu.k_proj",
                                      "silu.k_proj.2", "mul"}));
}

TEST_F(OpText, AWeightOfSeveralPartsHasAllTheirNames) {
  EXPECT_EQ(names(R"(module m {
    func @main(%x: f32[4, 8], %q_proj.weight: f32[8, 8], %k_proj.weight: f32[16, 8]) {
      %0 = concat(%q_proj.weight, %k_proj.weight) {axis = 0} : f32[24, 8]
      %1 = matmul_nt(%x, %0) : f32[4, 24]
      return %1
    }
  })")
                .back(),
            "q_proj+k_proj");
}

TEST_F(OpText, APackIsNamedByItsUser) {
  EXPECT_EQ(names(R"(module m {
    func @main(%x: f32[4, 8], %a.weight: f32[16, 8]<16@0>, %b.weight: f32[16, 16]<16@0>) {
      %0 = pack(%x) {layout = <4@0>} : f32[4, 8]<4@0>
      %1 = matmul_nt(%0, %a.weight) : f32[4, 16]
      %2 = pack(%1) {layout = <4@0>} : f32[4, 16]<4@0>
      %3 = matmul_nt(%2, %b.weight) : f32[4, 16]
      return %3
    }
  })"),
            (std::vector<std::string>{"pack.a", "a", "pack.b", "b"}));
}

TEST_F(OpText, LayoutsOfOperandsAndResult) {
  module_ = ir::parse_module(R"(module m {
    func @main(%x: f32[4, 8], %b: f32[16, 8]<16@0>) {
      %0 = pack(%x) {layout = <4@0>} : f32[4, 8]<4@0>
      %1 = matmul_nt(%0, %b) : f32[4, 16]
      %2 = silu(%1) : f32[4, 16]
      return %2
    }
  })",
                             "test");
  const ir::Expr* silu = module_.find("main")->results[0];
  const ir::Expr* matmul = silu->arguments[0];
  EXPECT_EQ(layout_text(*silu), "row-major");
  EXPECT_EQ(layout_text(*matmul), "a<4@0>, b<16@0>");
  EXPECT_EQ(layout_text(*matmul->arguments[0]), "-> <4@0>");
}

}  // namespace
}  // namespace strata::plan
