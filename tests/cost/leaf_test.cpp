// SPDX-License-Identifier: Apache-2.0
#include "cost/leaf.h"

#include <gtest/gtest.h>

#include <functional>
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

// Rows, codes and their scales, as panels of 16 columns have them.
struct Scaled {
  std::string rows = "f32[1, 64]", row_scales = "", codes = "i8[32, 64]<16@0, 4@1>", scales = "f16[32, 2]<16@0>",
              outer = "";

  std::string leaf() const {
    const bool are_codes = !row_scales.empty(), is_nested = !outer.empty();
    const std::string op = std::string(is_nested ? "nested_" : "scaled_") + (are_codes ? "rows_" : "") + "matmul_nt";
    const std::string many = rows.find("seq") == std::string::npos ? "1" : "seq";
    return taken(
        "%a: " + rows + (are_codes ? ", %r: " + row_scales : "") + ", %b: " + codes + ", %s: " + scales +
            (is_nested ? ", %o: " + outer : ""),
        op + "(%a, " + (are_codes ? "%r, " : "") + "%b, %s" + (is_nested ? ", %o" : "") + ") : f32[" + many + ", 32]");
  }
};

TEST(Leaf, ProductsOfBlocksByTheLayoutsOfTheirOperands) {
  const Scaled one, many = {.rows = "f32[seq, 64]<6@0>"};
  const Scaled code = {.rows = "i8[1, 64]", .row_scales = "f32[1, 2]"};
  const Scaled codes = {.rows = "i8[seq, 64]<6@0, 4@1>", .row_scales = "f32[seq, 2]<6@0>"};
  for (const auto& [product, leaf] : {std::pair(one, "stream-scaled"), std::pair(many, "tile-scaled"),
                                      std::pair(code, "stream-scaled-quads"), std::pair(codes, "tile-scaled-quads")}) {
    EXPECT_EQ(product.leaf(), leaf);
    for (const char* matrix : {"i8[32, 64]<16@0, 4@1, i8_4>", "i8[32, 64]<16@0, 4@1, i8_small_4>",
                               "i8[32, 64]<16@0, 4@1, i8_5>", "i8[32, 64]<16@0, 4@1, i8_6>", "i8[32, 64]<16@0, 4@1>"}) {
      for (const char* type : {"f16", "bf16", "f32"}) {
        Scaled other = product;
        other.codes = matrix;
        other.scales = std::string(type) + "[32, 2]<16@0>";
        EXPECT_EQ(other.leaf(), leaf) << matrix << " " << type;
        other.scales = "i8[32, 2]<16@0>";
        other.outer = std::string(type) + "[32, 1]<16@0>";
        EXPECT_EQ(other.leaf(), leaf) << matrix << " nested " << type;
      }
    }
  }
}

// None of these is what the kernels read, whatever the rows are.
TEST(Leaf, OtherProductsOfBlocksHaveNoKernel) {
  const Scaled products[] = {{},
                             {.rows = "f32[seq, 64]<6@0>"},
                             {.rows = "i8[1, 64]", .row_scales = "f32[1, 2]"},
                             {.rows = "i8[seq, 64]<6@0, 4@1>", .row_scales = "f32[seq, 2]<6@0>"}};
  for (const Scaled& product : products) {
    const auto leaf = [&](const std::function<void(Scaled&)>& change) {
      Scaled changed = product;
      change(changed);
      return changed.leaf();
    };
    SCOPED_TRACE(product.rows);
    EXPECT_EQ(leaf([](Scaled& s) { s.scales = "f16[32, 2]<8@0>"; }), "") << "other lanes";
    EXPECT_EQ(leaf([](Scaled& s) { s.scales = "f16[32, 2]"; }), "") << "scales that aren't in lanes";
    EXPECT_EQ(leaf([](Scaled& s) { s.scales = "f16[32, 2]<16@0, 2@1>"; }), "");
    EXPECT_EQ(leaf([](Scaled& s) { s.scales = "i8[32, 2]<16@0>"; }), "") << "integer scales without outer ones";
    EXPECT_EQ(leaf([](Scaled& s) { s.outer = "f16[32, 1]<16@0>"; }), "") << "outer scales of no integers";
    EXPECT_EQ(leaf([](Scaled& s) { s.scales = "i8[32, 2]<16@0>", s.outer = "f16[32, 1]<8@0>"; }), "");
    EXPECT_EQ(leaf([](Scaled& s) { s.scales = "i8[32, 2]<16@0>", s.outer = "i8[32, 1]<16@0>"; }), "");
    EXPECT_EQ(leaf([](Scaled& s) { s.codes = "i8[32, 64]<16@0>"; }), "") << "no words";
    EXPECT_EQ(leaf([](Scaled& s) { s.codes = "f16[32, 64]<16@0>"; }), "") << "no bytes";
  }
}

TEST(Leaf, BlocksAreWholeWords) {
  const auto of_blocks = [](Scaled product, int blocks, int outer) {
    const auto count = [](int n) { return std::to_string(n); };
    product.scales = (outer == 0 ? "f16[32, " : "i8[32, ") + count(blocks) + "]<16@0>";
    if (outer != 0) product.outer = "f16[32, " + count(outer) + "]<16@0>";
    for (const char* const depth : {"rows", "codes"}) {
      std::string& type = depth == std::string("rows") ? product.rows : product.codes;
      type.replace(type.find("64"), 2, "48");
    }
    if (!product.row_scales.empty()) product.row_scales.replace(product.row_scales.find("2]"), 1, count(blocks));
    return product.leaf();
  };
  const std::pair<Scaled, std::string> products[] = {
      {{}, "stream-scaled"},
      {{.rows = "f32[seq, 64]<6@0>"}, "tile-scaled"},
      {{.rows = "i8[1, 64]", .row_scales = "f32[1, 2]"}, "stream-scaled-quads"},
      {{.rows = "i8[seq, 64]<6@0, 4@1>", .row_scales = "f32[seq, 2]<6@0>"}, "tile-scaled-quads"}};
  for (const auto& [product, leaf] : products) {
    EXPECT_EQ(of_blocks(product, 6, 0), leaf) << "8";
    EXPECT_EQ(of_blocks(product, 2, 0), leaf) << "24";
    EXPECT_EQ(of_blocks(product, 12, 0), "") << "4";
    EXPECT_EQ(of_blocks(product, 4, 0), "") << "12";
    EXPECT_EQ(of_blocks(product, 6, 3), leaf) << "8 in 16";
    EXPECT_EQ(of_blocks(product, 12, 6), "") << "4 in 8";
    EXPECT_EQ(of_blocks(product, 3, 2), "") << "16 in 24, which are no whole blocks";
  }
}

// Kernels take codes in groups of their encoding: a block that ends inside of one has no kernel.
TEST(Leaf, BlocksAreWholeGroupsOfAnEncoding) {
  const auto leaf = [](const char* encoding, int blocks) {
    const std::string count = std::to_string(blocks);
    return Scaled{.codes = "i8[32, 64]<16@0, 4@1, " + std::string(encoding) + ">",
                  .scales = "f16[32, " + count + "]<16@0>"}
        .leaf();
  };
  for (const auto& [encoding, group] : {std::pair("i8_4", 8), {"i8_small_4", 8}, {"i8_6", 16}, {"i8_5", 32}}) {
    for (const int block : {8, 16, 32, 64})
      EXPECT_EQ(leaf(encoding, 64 / block), block % group == 0 ? "stream-scaled" : "") << encoding << " " << block;
  }
}

TEST(Leaf, RowsInCodesHaveScalesOfTheSameBlocks) {
  const auto leaf = [](const std::string& row_scales, const std::string& rows) {
    return Scaled{.rows = rows, .row_scales = row_scales}.leaf();
  };
  EXPECT_EQ(leaf("f32[1, 2]", "i8[1, 64]"), "stream-scaled-quads");
  EXPECT_EQ(leaf("f16[1, 2]", "i8[1, 64]"), "") << "row scales of another type";
  EXPECT_EQ(leaf("f32[1, 2]", "f32[1, 64]"), "") << "rows that aren't in codes";
  EXPECT_EQ(leaf("f32[1, 2]<6@0>", "i8[1, 64]"), "");
  EXPECT_EQ(leaf("f32[seq, 2]<6@0>", "i8[seq, 64]<6@0, 4@1>"), "tile-scaled-quads");
  EXPECT_EQ(leaf("f32[seq, 2]<4@0>", "i8[seq, 64]<6@0, 4@1>"), "") << "another tile";
  EXPECT_EQ(leaf("f32[seq, 2]", "i8[seq, 64]<6@0, 4@1>"), "");
  EXPECT_EQ(leaf("f32[seq, 2]<6@0>", "i8[seq, 64]<6@0>"), "");
}

// The leaf of an op on such operands, which its declaration names a, r, b, s, o, x.
std::string leaf_of_blocks(const std::string& body, const std::vector<std::pair<std::string, std::string>>& operands) {
  std::vector<std::string> names;
  std::string parameters;
  for (const auto& [name, type] : operands) {
    names.push_back(name);
    parameters += (parameters.empty() ? "%" : ", %") + name + ": " + type;
  }
  ops::register_all();
  const ops::StructuredOp op("test", names, "c[m, n] = sum(k) " + body, ops::ResultDType::kF32,
                             ops::ResultLayout::kRowMajor);
  const ir::Module module =
      ir::parse_module("module m {\n  func @f(" + parameters + ") {\n    return %a\n  }\n}\n", "test");
  std::vector<ir::TensorType> types;
  for (const ir::Expr* parameter : module.functions()[0]->parameters) types.push_back(parameter->type());
  const Leaf* const leaf = find_leaf(op, types, {}, op.infer(types, {}));
  return leaf == nullptr ? "" : std::string(leaf->name);
}

// Kernels know two factors of the codes and one of the rows.
TEST(Leaf, MoreFactorsHaveNoKernel) {
  const std::pair<std::string, std::string> a = {"a", "f32[1, 64]"}, codes = {"a", "i8[1, 64]"}, r = {"r", "f32[1, 4]"},
                                            b = {"b", "i8[32, 64]<16@0, 4@1>"}, s = {"s", "i8[32, 4]<16@0>"},
                                            o = {"o", "f16[32, 2]<16@0>"};
  EXPECT_EQ(leaf_of_blocks("a[m, k] * b[n, k] * s[n, k / g] * o[n, k / h]", {a, b, s, o}), "stream-scaled");
  EXPECT_EQ(leaf_of_blocks("a[m, k] * b[n, k] * s[n, k / g] * o[n, k / h] * x[n, k / i]",
                           {a, b, s, o, {"x", "f16[32, 1]<16@0>"}}),
            "");
  EXPECT_EQ(leaf_of_blocks("a[m, k] * r[m, k / g] * b[n, k] * s[n, k / g] * o[n, k / h]", {codes, r, b, s, o}),
            "stream-scaled-quads");
  EXPECT_EQ(leaf_of_blocks("a[m, k] * r[m, k / g] * x[m, k / h] * b[n, k] * s[n, k / g] * o[n, k / h]",
                           {codes, r, {"x", "f32[1, 2]"}, b, s, o}),
            "");
  EXPECT_EQ(leaf_of_blocks("a[m, k] * r[m, k / h] * b[n, k] * s[n, k / g] * o[n, k / h]",
                           {codes, {"r", "f32[1, 2]"}, b, s, o}),
            "")
      << "rows in larger blocks";
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
