// SPDX-License-Identifier: Apache-2.0
#include "ir/roles.h"

#include <gtest/gtest.h>

#include "ir/text.h"

namespace strata::ir {
namespace {

// Two layers that share a norm, one cache per layer. %scale is bound to weights once and to an activation once.
constexpr const char* kProgram = R"(module m {
  symbol ctx in 4..8
  func @attend(%x: f32[1, 2, 4], %p: i32[1], %k: f32[2, ctx, 4], %v: f32[2, ctx, 4]) {
    %0 = cache_append(%k, %x, %p) : f32[2, ctx, 4]
    %1 = attention(%x, %0, %v, %p) {scale = 0.5} : f32[1, 2, 4]
    return %1, %0
  }
  func @layer(%x: f32[1, 2, 4], %p: i32[1], %k: f32[2, ctx, 4], %v: f32[2, ctx, 4], %norm: f32[4], %scale: f32[4]) {
    %0 = mul(%x, %norm) : f32[1, 2, 4]
    %1 = mul(%0, %scale) : f32[1, 2, 4]
    %2 = call @attend(%1, %p, %k, %v) : (f32[1, 2, 4], f32[2, ctx, 4])
    %3 = get(%2) {index = 1} : f32[2, ctx, 4]
    %4 = get(%2) {index = 0} : f32[1, 2, 4]
    return %3, %4
  }
  func @main(%x: f32[1, 2, 4], %p: i32[1], %k0: f32[2, ctx, 4], %k1: f32[2, ctx, 4], %v: f32[2, ctx, 4], %s: f32[4]) {
    %a = weight "a" : f32[4]
    %b = exp(%a) : f32[4]
    %0 = call @layer(%x, %p, %k0, %v, %a, %b) : (f32[2, ctx, 4], f32[1, 2, 4])
    %1 = get(%0) {index = 1} : f32[1, 2, 4]
    %2 = call @layer(%1, %p, %k1, %v, %b, %s) : (f32[2, ctx, 4], f32[1, 2, 4])
    %3 = get(%2) {index = 1} : f32[1, 2, 4]
    %4 = get(%0) {index = 0} : f32[2, ctx, 4]
    %5 = get(%2) {index = 0} : f32[2, ctx, 4]
    return %5, %3, %4
  }
}
)";

// One letter per parameter: activation, constant, state.
std::string letters(const FunctionRoles& roles) {
  std::string text;
  for (const Role role : roles.parameters) {
    text += role == Role::kActivation ? 'a' : role == Role::kConstant ? 'c' : 's';
  }
  return text;
}

using States = std::vector<std::optional<std::size_t>>;

TEST(Roles, AStateIsUpdatedHereOrInACallee) {
  const Module module = parse_module(kProgram, "test");
  const Roles roles = find_roles(module);
  EXPECT_EQ(letters(roles.at(module.find("attend"))), "aasa");
  EXPECT_EQ(roles.at(module.find("attend")).state_results, (States{std::nullopt, 2}));
  EXPECT_EQ(roles.at(module.find("layer")).state_results, (States{2, std::nullopt}));
  EXPECT_EQ(letters(roles.at(module.find("main"))), "aassaa");
  EXPECT_EQ(roles.at(module.find("main")).state_results, (States{3, std::nullopt, 2}));
}

// %norm is bound to a weight by one call and to an expression of one by the other, %scale to an activation by one.
TEST(Roles, AConstantIsOneInEveryCall) {
  const Module module = parse_module(kProgram, "test");
  EXPECT_EQ(letters(find_roles(module).at(module.find("layer"))), "aasaca");
}

TEST(Roles, AConstantIsPassedDown) {
  const Module module = parse_module(R"(module m {
  func @inner(%x: f32[4], %w: f32[4]) {
    %0 = add(%x, %w) : f32[4]
    return %0
  }
  func @outer(%x: f32[4], %w: f32[4]) {
    %1 = neg(%w) : f32[4]
    %0 = call @inner(%x, %1) : (f32[4])
    return %0
  }
  func @main(%x: f32[4]) {
    %w = weight "w" : f32[4]
    %0 = call @outer(%x, %w) : (f32[4])
    return %0
  }
}
)",
                                     "test");
  const Roles roles = find_roles(module);
  EXPECT_EQ(letters(roles.at(module.find("inner"))), "ac");
  EXPECT_EQ(letters(roles.at(module.find("outer"))), "ac");
}

// What an update of a computed value returns is no parameter's memory, and an unchanged parameter is no state.
TEST(Roles, OnlyAParametersMemoryIsAState) {
  const Module module = parse_module(R"(module m {
  func @main(%c: f32[2, 8, 4], %x: f32[1, 2, 4], %p: i32[1]) {
    %0 = exp(%c) : f32[2, 8, 4]
    %1 = cache_append(%0, %x, %p) : f32[2, 8, 4]
    return %1, %c
  }
}
)",
                                     "test");
  const FunctionRoles roles = find_roles(module).at(module.find("main"));
  EXPECT_EQ(letters(roles), "aaa");
  EXPECT_EQ(roles.state_results, (States{std::nullopt, std::nullopt}));
}

TEST(CallCounts, MultiplyAlongTheCalls) {
  const Module module = parse_module(kProgram, "test");
  const auto counts = call_counts(module, {"main"});
  EXPECT_EQ(counts.at(module.find("main")), 1);
  EXPECT_EQ(counts.at(module.find("layer")), 2);
  EXPECT_EQ(counts.at(module.find("attend")), 2);
  EXPECT_EQ(call_counts(module, {"layer"}).at(module.find("main")), 0);
  EXPECT_EQ(call_counts(module, {"main", "layer"}).at(module.find("attend")), 3);
}

}  // namespace
}  // namespace strata::ir
