// SPDX-License-Identifier: Apache-2.0
#include "cost/leaf.h"

#include <gtest/gtest.h>

#include <set>

#include "ir/text.h"
#include "ops/register.h"
#include "ops/structured_op.h"

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
    for (const LeafBuffer& buffer : leaf.buffers) EXPECT_NE(buffer.needs, nullptr) << leaf.name;
    for (const std::string_view part : leaf.parts) EXPECT_EQ(cost::leaf(part).domain, leaf.domain) << part;
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

// Leaves ask what the loops are, not what they are called.
TEST(Leaf, MovementsAndAttentionsAreKnownByTheirLoops) {
  EXPECT_EQ(taken("%a: f32[9, 64], %b: i32[seq]", "gather(%a, %b) : f32[seq, 64]"), "gather-rows");
  EXPECT_EQ(taken("%a: f32[9, 64]<16@0>, %b: i32[seq]", "gather(%a, %b) : f32[seq, 64]"), "gather-panels");
  EXPECT_EQ(taken("%a: f32[seq, 64], %b: f32[seq, 8]", "concat(%a, %b) {axis = 1} : f32[seq, 72]"), "concat");
  EXPECT_EQ(taken("%c: f32[2, 64, 8], %x: f32[seq, 2, 8], %p: i32[seq]", "cache_append(%c, %x, %p) : f32[2, 64, 8]"),
            "append-values");
  const std::string caches = "%q: f32[seq, 4, 8], %k: f32[2, 64, 8], %v: f32[2, 64, 8], %p: i32[seq]";
  const std::string more[] = {"attention(%q, %k, %v, %p) {scale = 1}",
                              "capped_attention(%q, %k, %v, %p) {scale = 1, softcap = 2}",
                              "windowed_attention(%q, %k, %v, %p) {scale = 1, window = 3}"};
  for (const std::string& op : more) EXPECT_EQ(taken(caches, op + " : f32[seq, 4, 8]"), "attention") << op;
  const std::string wide = "%q: f32[seq, 4, 8], %k: f32[2, 64, 8], %v: f32[2, 64, 6], %p: i32[seq]";
  EXPECT_EQ(taken(wide, more[0] + " : f32[seq, 4, 6]"), "") << "values of another size than the keys";
}

// The leaf of an op that is declared so.
std::string leaf_of(const std::string& declaration) {
  const ops::StructuredOp op("test", {"q", "k", "v", "p"}, declaration, ops::ResultDType::kF32,
                             ops::ResultLayout::kRowMajor);
  const ir::TensorType cache{DType::kF32, {2, 64, 8}, {}, {}};
  const std::vector<ir::TensorType> types = {
      {DType::kF32, {3, 4, 8}, {}, {}}, cache, cache, {DType::kI32, {3}, {}, {}}};
  const Leaf* const leaf = find_leaf(op, types, {}, op.infer(types, {}));
  return leaf == nullptr ? "" : std::string(leaf->name);
}

TEST(Leaf, AttentionMayBeWrittenOut) {
  const std::string score =
      "x[s, h, t] = 0.5 * sum(i) q[s, h, i] * k[h / g, t, i]; m[s, h] = max(t <= p[s]) x[s, h, t];";
  const std::string total = "l[s, h] = sum(t <= p[s]) exp(x[s, h, t] - m[s, h]);";
  const std::string value = "v[h / g, t, d]";
  // The division inside of the sum, behind it, and weights that are a stage.
  EXPECT_EQ(leaf_of(score + total + "y[s, h, d] = sum(t <= p[s]) exp(x[s, h, t] - m[s, h]) / l[s, h] * " + value),
            "attention");
  EXPECT_EQ(
      leaf_of(score + total + "y[s, h, d] = (sum(t <= p[s]) exp(x[s, h, t] - m[s, h]) * " + value + ") / l[s, h]"),
      "attention");
  EXPECT_EQ(leaf_of(score +
                    "e[s, h, t] = exp(x[s, h, t] - m[s, h]); l[s, h] = sum(t <= p[s]) e[s, h, t];"
                    "y[s, h, d] = sum(t <= p[s]) e[s, h, t] / l[s, h] * " +
                    value),
            "attention");
  // Near misses: other bounds, another exponent, no division, a minimum.
  EXPECT_EQ(leaf_of(score + total + "y[s, h, d] = sum(t < p[s]) exp(x[s, h, t] - m[s, h]) / l[s, h] * " + value), "");
  EXPECT_EQ(leaf_of(score + total + "y[s, h, d] = sum(t <= p[s]) exp(2 * x[s, h, t] - m[s, h]) / l[s, h] * " + value),
            "");
  EXPECT_EQ(leaf_of(score + total + "y[s, h, d] = sum(t <= p[s]) exp(x[s, h, t] - m[s, h]) * " + value), "");
  EXPECT_EQ(leaf_of("x[s, h, t] = sum(i) q[s, h, i] * k[h / g, t, i]; m[s, h] = min(t <= p[s]) x[s, h, t];" + total +
                    "y[s, h, d] = sum(t <= p[s]) exp(x[s, h, t] - m[s, h]) / l[s, h] * " + value),
            "");
}

TEST(Leaf, ViewsHaveNoCode) {
  EXPECT_EQ(taken("%a: f32[seq, 64]", "reshape(%a) {shape = [-1, 4, 16]} : f32[seq, 4, 16]"), "view");
  EXPECT_EQ(taken("%a: f32[seq, 64]", "slice(%a) {axis = 1, begin = 8, end = 24} : f32[seq, 16]"), "view");
  EXPECT_EQ(taken("%a: f32[seq, 64]", "pack(%a) {layout = <16@1>} : f32[seq, 64]<16@1>"), "view");
  EXPECT_EQ(taken("%a: f32[seq, 64]", "pack(%a) {layout = <6@0>} : f32[seq, 64]<6@0>"), "pack-rows");
  EXPECT_EQ(taken("%a: bf16[seq, 64]", "pack(%a) {layout = <6@0, 2@1>} : bf16[seq, 64]<6@0, 2@1>"), "pack-pairs");
}

}  // namespace
}  // namespace strata::cost
