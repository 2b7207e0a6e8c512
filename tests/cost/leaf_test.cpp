// SPDX-License-Identifier: Apache-2.0
#include "cost/leaf.h"

#include <gtest/gtest.h>

#include <set>

#include "ir/text.h"
#include "ops/register.h"

namespace strata::cost {
namespace {

// The leaf that takes the last op of @f, "" for none.
std::string taken(const std::string& parameters, const std::string& op) {
  ops::register_all();
  const ir::Module module = ir::parse_module("module m {\n  symbol seq in 1..64\n  func @f(" + parameters +
                                                 ") {\n    %0 = " + op + "\n    return %0\n  }\n}\n",
                                             "test");
  const ir::Expr& value = *module.functions()[0]->results[0];
  std::vector<ir::TensorType> types;
  for (const ir::Expr* argument : value.arguments) types.push_back(argument->type());
  const Leaf* const leaf = find_leaf(*value.op, types, value.attributes, value.type());
  return leaf == nullptr ? "" : std::string(leaf->name);
}

std::string product(const std::string& left, const std::string& right, const std::string& rows = "seq") {
  return taken("%a: " + left + ", %b: " + right, "matmul_nt(%a, %b) : f32[" + rows + ", 32]");
}

TEST(Leaf, NamesAreUnique) {
  std::set<std::string_view> names;
  for (const Leaf& leaf : all_leaves()) EXPECT_TRUE(names.insert(leaf.name).second) << leaf.name;
  for (const Leaf& leaf : all_leaves()) {
    if (!leaf.few.empty()) EXPECT_TRUE(names.contains(leaf.few)) << leaf.name;
    EXPECT_EQ(leaf.few.empty(), leaf.few_tiles == 0) << leaf.name;
    EXPECT_EQ(leaf.scratch_type.empty(), leaf.scratch_count.empty()) << leaf.name;
  }
}

TEST(Leaf, ProductsByTheLayoutsOfTheirOperands) {
  EXPECT_EQ(product("f32[1, 64]", "f32[32, 64]<16@0>", "1"), "stream");
  EXPECT_EQ(product("f32[1, 64]", "bf16[32, 64]<16@0, 2@1>", "1"), "stream");
  EXPECT_EQ(product("bf16[1, 64]<2@1>", "bf16[32, 64]<16@0, 2@1>", "1"), "stream");
  EXPECT_EQ(product("f32[seq, 64]<6@0>", "f32[32, 64]<16@0>"), "tile");
  EXPECT_EQ(product("bf16[seq, 64]<6@0, 2@1>", "bf16[32, 64]<16@0, 2@1>"), "tile");
  EXPECT_EQ(product("f32[seq, 64]<6@0>", "f16[32, 64]<16@0>"), "tile-widened");
  EXPECT_EQ(product("f32[seq, 64]<6@0>", "bf16[32, 64]<16@0, 2@1>"), "tile-widened-pairs");
  EXPECT_EQ(product("f32[seq, 64]", "f32[32, 64]"), "loops");
}

TEST(Leaf, WhatNoLeafTakesHasNoCode) {
  EXPECT_EQ(product("f32[seq, 64]", "f32[32, 64]<16@0>"), "") << "many rows that are in no tiles";
  EXPECT_EQ(product("bf16[seq, 64]<6@0, 2@1>", "f32[32, 64]<16@0>"), "") << "rounded rows meet weights that are not";
  EXPECT_EQ(product("f32[seq, 64]<6@0>", "f32[32, 64]<12@0>"), "") << "no vector has 12 lanes";
}

// A product is found by its index maps: the second operand of matmul has k outside, which panels don't.
TEST(Leaf, OtherProductsRunInLoops) {
  EXPECT_EQ(taken("%a: f32[seq, 64], %b: f32[64, 32]", "matmul(%a, %b) : f32[seq, 32]"), "loops");
  EXPECT_EQ(taken("%a: f32[seq, 64]<6@0>, %b: f32[64, 32]<16@1>", "matmul(%a, %b) : f32[seq, 32]"), "");
}

TEST(Leaf, ViewsHaveNoCode) {
  EXPECT_EQ(taken("%a: f32[seq, 64]", "reshape(%a) {shape = [-1, 4, 16]} : f32[seq, 4, 16]"), "view");
  EXPECT_EQ(taken("%a: f32[seq, 64]", "slice(%a) {axis = 1, begin = 8, end = 24} : f32[seq, 16]"), "view");
  EXPECT_EQ(taken("%a: f32[seq, 64]", "pack(%a) {layout = <16@1>} : f32[seq, 64]<16@1>"), "view");
  EXPECT_EQ(taken("%a: f32[seq, 64]", "pack(%a) {layout = <6@0>} : f32[seq, 64]<6@0>"), "pack-rows");
  EXPECT_EQ(taken("%a: f32[seq, 64]", "pack(%a) {dtype = bf16, layout = <6@0, 2@1>} : bf16[seq, 64]<6@0, 2@1>"),
            "pack-pairs");
}

}  // namespace
}  // namespace strata::cost
