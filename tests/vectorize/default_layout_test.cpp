// SPDX-License-Identifier: Apache-2.0
#include "vectorize/default_layout.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ir/verify.h"
#include "ops/register.h"

namespace strata::vectorize {
namespace {

// A machine with so many f32 lanes and vector registers, with a bf16 dot-product unit or without.
machine::Machine toy_machine(int lanes, int registers, bool has_dot_unit) {
  machine::Machine machine;
  machine.name = "toy";
  machine.vector_registers = {registers, 4 * lanes};
  machine.units = {{"fma", DType::kF32, DType::kF32, lanes, 1, 1e11}};
  if (has_dot_unit) machine.units.push_back({"bf16-pairs", DType::kBF16, DType::kF32, lanes, 2, 2e11});
  return machine;
}

std::string planned(const std::string& body, const machine::Machine& machine) {
  ops::register_all();
  const ir::Module module = default_layout(ir::parse_module("module m {\n" + body + "}\n", "test"), machine);
  ir::verify(module);
  return ir::to_text(module);
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

const char* const kProjection = R"(
  symbol seq in 1..32
  func @layer(%x: f32[seq, 64], %w: bf16[48, 64]) {
    %0 = matmul_nt(%x, %w) : f32[seq, 48]
    return %0
  }
  func @forward(%x: f32[seq, 64]) {
    %0 = weight "a" : bf16[48, 64]
    %1 = call @layer(%x, %0) : (f32[seq, 48])
    return %1
  }
)";

TEST(DefaultLayout, PacksWeightsForLanesAndDotUnitAndRowsForTheRegisterTile) {
  const std::string text = planned(kProjection, toy_machine(16, 32, true));
  EXPECT_TRUE(contains(text, "%w: bf16[48, 64]<16@0, 2@1>")) << text;
  EXPECT_TRUE(contains(text, "weight \"a\" : bf16[48, 64]<16@0, 2@1>")) << text;
  EXPECT_TRUE(contains(text, "bf16[seq, 64]<6@0, 2@1>")) << text;
}

TEST(DefaultLayout, IsIdempotent) {
  ops::register_all();
  const machine::Machine machine = toy_machine(16, 32, true);
  const std::string once = planned(kProjection, machine);
  EXPECT_EQ(ir::to_text(default_layout(ir::parse_module(once, "test"), machine)), once);
}

TEST(DefaultLayout, FollowsTheMachinesLanesAndRegisters) {
  const std::string text = planned(kProjection, toy_machine(8, 16, false));
  EXPECT_TRUE(contains(text, "%w: bf16[48, 64]<8@0>)")) << text;
  EXPECT_TRUE(contains(text, "f32[seq, 64]<6@0>")) << text;
}

TEST(DefaultLayout, KeepsASingleRowAsItIs) {
  const std::string text = planned(R"(
  func @head(%x: f32[1, 64]) {
    %0 = weight "a" : f32[48, 64]
    %1 = matmul_nt(%x, %0) : f32[1, 48]
    return %1
  }
)",
                                   toy_machine(16, 32, true));
  EXPECT_TRUE(contains(text, "f32[48, 64]<16@0>")) << text;
  EXPECT_FALSE(contains(text, "pack(")) << text;
}

TEST(DefaultLayout, PacksATiedTableForBothItsUses) {
  const std::string text = planned(R"(
  func @embed(%ids: i32[1]) {
    %0 = weight "e" : f32[48, 64]
    %1 = gather(%0, %ids) : f32[1, 64]
    return %1
  }
  func @head(%x: f32[1, 64]) {
    %0 = weight "e" : f32[48, 64]
    %1 = matmul_nt(%x, %0) : f32[1, 48]
    return %1
  }
)",
                                   toy_machine(16, 32, false));
  EXPECT_FALSE(contains(text, "weight \"e\" : f32[48, 64]\n")) << text;
}

// What a caller hands to the program stays as the caller lays it out.
TEST(DefaultLayout, LeavesAnEntrysInputsAlone) {
  const std::string text = planned(R"(
  func @main(%x: f32[1, 64], %w: f32[48, 64]) {
    %0 = matmul_nt(%x, %w) : f32[1, 48]
    return %0
  }
)",
                                   toy_machine(16, 32, true));
  EXPECT_FALSE(contains(text, "<")) << text;
}

TEST(DefaultLayout, LeavesAParameterAloneThatOneCallBindsToAnActivation) {
  const std::string text = planned(R"(
  func @product(%x: f32[1, 64], %w: f32[48, 64]) {
    %0 = matmul_nt(%x, %w) : f32[1, 48]
    return %0
  }
  func @main(%x: f32[1, 64], %y: f32[48, 64]) {
    %0 = weight "a" : f32[48, 64]
    %1 = call @product(%x, %0) : (f32[1, 48])
    %2 = call @product(%x, %y) : (f32[1, 48])
    %3 = add(%1, %2) : f32[1, 48]
    return %3
  }
)",
                                   toy_machine(16, 32, true));
  EXPECT_FALSE(contains(text, "<")) << text;
}

TEST(DefaultLayout, PacksTheKeysOfTheCacheThroughCallsAndAppends) {
  const std::string text = planned(R"(
  symbol ctx in 64..128 multiple 64
  func @layer(%q: f32[1, 4, 8], %k: f32[1, 2, 8], %kc: f32[2, ctx, 8], %vc: f32[2, ctx, 8], %p: i32[1]) {
    %0 = cache_append(%kc, %k, %p) : f32[2, ctx, 8]
    %1 = attention(%q, %0, %vc, %p) {scale = 1.0} : f32[1, 4, 8]
    return %1, %0
  }
  func @main(%q: f32[1, 4, 8], %k: f32[1, 2, 8], %kc: f32[2, ctx, 8], %vc: f32[2, ctx, 8], %p: i32[1]) {
    %0 = call @layer(%q, %k, %kc, %vc, %p) : (f32[1, 4, 8], f32[2, ctx, 8])
    %1 = get(%0) {index = 0} : f32[1, 4, 8]
    %2 = get(%0) {index = 1} : f32[2, ctx, 8]
    return %1, %2
  }
)",
                                   toy_machine(16, 32, true));
  EXPECT_TRUE(
      contains(text, "@main(%q: f32[1, 4, 8], %k: f32[1, 2, 8], %kc: f32[2, ctx, 8]<16@1>, %vc: f32[2, ctx, 8],"))
      << text;
  EXPECT_TRUE(
      contains(text, "@layer(%q: f32[1, 4, 8], %k: f32[1, 2, 8], %kc: f32[2, ctx, 8]<16@1>, %vc: f32[2, ctx, 8],"))
      << text;
}

}  // namespace
}  // namespace strata::vectorize
