// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "tests/ops/op_testing.h"

namespace strata::ops {
namespace {

using ir::Dim;
using ir::Value;
using Ints = std::vector<std::int64_t>;

std::shared_ptr<const ir::Symbol> symbol(const std::string& name, std::int64_t min, std::int64_t max,
                                         std::int64_t multiple = 1) {
  return std::make_shared<const ir::Symbol>(ir::Symbol{name, min, max, multiple});
}

void expect_refusal(const std::string& what, const std::string& name, const std::vector<ir::TensorType>& operands,
                    const ir::Attributes& attributes = {}) {
  const std::string message = refusal(name, operands, attributes);
  EXPECT_NE(message.find(what), std::string::npos) << message;
}

TEST(Transpose, PermutesAxes) {
  const Value x = random_tensor({2, 3, 5}, 1);
  const Value y = run_op("transpose", {x}, {{"perm", Ints{2, 0, 1}}});
  EXPECT_EQ(y.type, f32({5, 2, 3}));
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < 2; ++j) {
      for (int k = 0; k < 3; ++k) EXPECT_EQ(y.data[(i * 2 + j) * 3 + k], x.data[(j * 3 + k) * 5 + i]);
    }
  }
  expect_refusal("no permutation", "transpose", {f32({2, 3})}, {{"perm", Ints{0, 0}}});
  expect_refusal("no permutation", "transpose", {f32({2, 3})}, {{"perm", Ints{0, 2}}});
  expect_refusal("no permutation", "transpose", {f32({2, 3})}, {{"perm", Ints{0}}});
  expect_refusal("perm is empty", "transpose", {f32({2, 3})}, {{"perm", Ints{}}});
  expect_refusal("perm is missing", "transpose", {f32({2, 3})});
}

TEST(Slice, TakesARangeOfAnAxis) {
  const Value x = random_tensor({2, 5, 3}, 1);
  const Value y = run_op("slice", {x}, {{"axis", 1L}, {"begin", 1L}, {"end", 4L}});
  EXPECT_EQ(y.type, f32({2, 3, 3}));
  EXPECT_EQ(y.data[0], x.data[3]);
  EXPECT_EQ(y.data[9 + 3 * 2 + 2], x.data[15 + 3 * 3 + 2]);
  const ir::Work work =
      ir::get_op("slice").work(std::vector{x.type}, {{"axis", 1L}, {"begin", 1L}, {"end", 4L}}, y.type);
  EXPECT_EQ(work.read_bytes, 18 * 4) << "only the slice is read";
  expect_refusal("no range", "slice", {f32({4})}, {{"axis", 0L}, {"begin", 2L}, {"end", 5L}});
  expect_refusal("no range", "slice", {f32({4})}, {{"axis", 0L}, {"begin", 2L}, {"end", 2L}});
  expect_refusal("no range", "slice", {f32({4})}, {{"axis", 0L}, {"begin", -1L}, {"end", 2L}});
  expect_refusal("no axis 1", "slice", {f32({4})}, {{"axis", 1L}, {"begin", 0L}, {"end", 2L}});
  expect_refusal("no range", "slice", {f32({Dim(1, symbol("seq", 1, 8))})}, {{"axis", 0L}, {"begin", 0L}, {"end", 2L}});
}

TEST(Reshape, KeepsTheElements) {
  const auto seq = symbol("seq", 1, 8);
  const auto shape_of = [&](const ir::Shape& from, const Ints& to) {
    return ir::get_op("reshape").infer(std::vector{f32(from)}, {{"shape", to}}).shape;
  };
  EXPECT_EQ(shape_of({Dim(1, seq), 2048}, {-1, 16, 128}), (ir::Shape{Dim(1, seq), 16, 128}));
  EXPECT_EQ(shape_of({Dim(1, seq), 16, 128}, {-1, 128}), (ir::Shape{Dim(16, seq), 128}));
  EXPECT_EQ(shape_of({6, 4}, {3, 8}), (ir::Shape{3, 8}));
  EXPECT_EQ(shape_of({1, 1}, {}), ir::Shape{});
  const Value x = random_tensor({6, 4}, 1);
  EXPECT_EQ(run_op("reshape", {x}, {{"shape", Ints{2, -1}}}).data, x.data);
  EXPECT_EQ(ir::get_op("reshape").aliased_operand(), 0);
  EXPECT_FALSE(ir::get_op("reshape").writes_alias());
  for (const Ints& wrong : {Ints{5, -1}, Ints{6, 5}, Ints{6}, Ints{25, -1}, Ints{24, 2}}) {
    expect_refusal("don't fit", "reshape", {f32({6, 4})}, {{"shape", wrong}});
  }
  for (const Ints& wrong : {Ints{-1, -1}, Ints{0, 24}, Ints{-2, 12}}) {
    expect_refusal("is no shape", "reshape", {f32({6, 4})}, {{"shape", wrong}});
  }
  expect_refusal("don't fit", "reshape", {f32({Dim(1, seq), 4})}, {{"shape", Ints{4}}});
  expect_refusal("more than one symbolic axis", "reshape", {f32({Dim(1, seq), Dim(1, seq)})}, {{"shape", Ints{-1}}});
  // Row-major memory read in groups of lanes stays so, in whatever groups the new last axis has; any other layout moves
  // elements.
  const auto type_of = [](const ir::TensorType& from, const Ints& to) {
    return ir::get_op("reshape").infer(std::vector{from}, {{"shape", to}}).text();
  };
  EXPECT_EQ(type_of({DType::kF32, {6, 32}, {{{16, 1}}}, {}}, {-1, 2, 16}), "f32[6, 2, 16]<16@2>");
  EXPECT_EQ(type_of({DType::kF32, {6, 32}, {{{16, 1}}}, {}}, {24, 8}), "f32[24, 8]<16~@1>");
  expect_refusal("has the layout <2@0>", "reshape", {{DType::kF32, {4, 3}, {{{2, 0}}}, {}}}, {{"shape", Ints{12}}});
  expect_refusal("has the layout <2@0, 2@0>", "reshape", {{DType::kF32, {4}, {{{2, 0}, {2, 0}}}, {}}},
                 {{"shape", Ints{4}}});
}

TEST(Concat, JoinsAlongAnAxis) {
  const Value a = random_tensor({2, 1, 3}, 1);
  const Value b = random_tensor({2, 2, 3}, 2);
  const Value y = run_op("concat", {a, b}, {{"axis", 1L}});
  EXPECT_EQ(y.type, f32({2, 3, 3}));
  for (int i = 0; i < 2; ++i) {
    for (int k = 0; k < 3; ++k) {
      EXPECT_EQ(y.data[i * 9 + k], a.data[i * 3 + k]);
      EXPECT_EQ(y.data[i * 9 + 6 + k], b.data[i * 6 + 3 + k]);
    }
  }
  const Dim seq(1, symbol("seq", 1, 8));
  EXPECT_EQ(ir::get_op("concat").infer(std::vector{f32({seq}), f32({seq})}, {{"axis", 0L}}).shape[0].factor(), 2);
  expect_refusal("is no size", "concat", {f32({seq}), f32({3})}, {{"axis", 0L}});
  expect_refusal("axis 1 of operand b is 4", "concat", {f32({2, 3}), f32({2, 4})}, {{"axis", 0L}});
  expect_refusal("no axis 2", "concat", {f32({2, 3}), f32({2, 3})}, {{"axis", 2L}});
  expect_refusal("operand b has 1 axes", "concat", {f32({2, 3}), f32({2})}, {{"axis", 0L}});
  expect_refusal("operand b is of i32", "concat", {f32({2}), i32({2})}, {{"axis", 0L}});
}

TEST(Gather, TakesRowsByNumber) {
  const Value table = random_tensor({5, 3}, 1);
  const Value y = run_op("gather", {table, integer_tensor({4, 0, 4})}, {{"dtype", DType::kBF16}});
  EXPECT_EQ(y.type, (ir::TensorType{DType::kBF16, {3, 3}, {}, {}}));
  EXPECT_EQ(y.data[1], table.data[13]);
  EXPECT_EQ(y.data[5], table.data[2]);
  EXPECT_EQ(run_op("gather", {table, integer_tensor({0})}).type.dtype, DType::kF32);
  EXPECT_THROW(run_op("gather", {table, integer_tensor({5})}), Error);
  EXPECT_THROW(run_op("gather", {table, integer_tensor({-1})}), Error);
  expect_refusal("operand ids is of f32", "gather", {f32({5, 3}), f32({2})});
  expect_refusal("operand table has 1 axes", "gather", {f32({5}), i32({2})});
}

TEST(Pack, ChangesTheLayoutOnly) {
  const Value x = random_tensor({5, 3}, 1);
  const ir::Layout layout{{{16, 0}, {2, 1}}};
  const Value packed = run_op("pack", {x}, {{"layout", layout}});
  EXPECT_EQ(packed.type.layout, layout);
  EXPECT_EQ(packed.data, x.data);
  EXPECT_EQ(run_op("unpack", {packed}).type, x.type);
  expect_refusal("packs axis 2", "pack", {x.type}, {{"layout", ir::Layout{{{16, 2}}}}});
  expect_refusal("number of lanes", "pack", {x.type}, {{"layout", ir::Layout{{{0, 0}}}}});
  expect_refusal("has no packs", "pack", {x.type}, {{"layout", ir::Layout{}}});
  expect_refusal("has the layout", "pack", {packed.type}, {{"layout", layout}});
  expect_refusal("is not packed", "unpack", {x.type});
  expect_refusal("don't divide", "pack", {f32({2, Dim(1, symbol("s", 1, 8))})}, {{"layout", ir::Layout{{{4, 1}}}}});
  // The outermost axis may be padded at run time.
  EXPECT_EQ(refusal("pack", {f32({Dim(1, symbol("s", 1, 8)), 2})}, {{"layout", ir::Layout{{{4, 0}}}}}), "accepted");
  EXPECT_EQ(refusal("pack", {f32({2, Dim(1, symbol("s", 4, 8, 4))})}, {{"layout", ir::Layout{{{4, 1}}}}}), "accepted");
}

TEST(CacheAppend, ReplacesRowsOfEveryHead) {
  const Value cache = random_tensor({2, 4, 3}, 1);
  const Value x = random_tensor({2, 2, 3}, 2);
  const Value y = run_op("cache_append", {cache, x, integer_tensor({3, 0})});
  for (int h = 0; h < 2; ++h) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(y.data[(h * 4 + 3) * 3 + i], x.data[h * 3 + i]);
      EXPECT_EQ(y.data[(h * 4 + 0) * 3 + i], x.data[6 + h * 3 + i]);
      EXPECT_EQ(y.data[(h * 4 + 1) * 3 + i], cache.data[(h * 4 + 1) * 3 + i]);
    }
  }
  EXPECT_TRUE(ir::get_op("cache_append").writes_alias());
  EXPECT_THROW(run_op("cache_append", {cache, x, integer_tensor({4, 0})}), Error);
  expect_refusal("axis 1 of operand x is 3", "cache_append", {f32({2, 4, 3}), f32({2, 3, 3}), i32({2})});
  expect_refusal("axis 0 of operand positions is 1", "cache_append", {f32({2, 4, 3}), f32({2, 2, 3}), i32({1})});
  expect_refusal("operand positions is of f32", "cache_append", {f32({2, 4, 3}), f32({2, 2, 3}), f32({2})});
}

TEST(CacheAppend, KeepsTheCachesTypeWithItsLayout) {
  const ir::TensorType cache{DType::kBF16, {2, Dim(1, symbol("ctx", 64, 4096, 64)), 4}, {{{16, 1}}}, {}};
  const Dim seq(1, symbol("seq", 1, 512));
  EXPECT_EQ(ir::get_op("cache_append").infer(std::vector{cache, f32({seq, 2, 4}), i32({seq})}, {}), cache);
}

TEST(Attention, IsCausalAndGrouped) {
  constexpr int kSeq = 2, kHeads = 4, kKvHeads = 2, kContext = 6, kDim = 3;
  const Value q = random_tensor({kSeq, kHeads, kDim}, 1, -2, 2);
  const Value k = random_tensor({kKvHeads, kContext, kDim}, 2, -2, 2);
  const Value v = random_tensor({kKvHeads, kContext, kDim}, 3);
  const Value positions = integer_tensor({0, 4});
  const Value y = run_op("attention", {q, k, v, positions}, {{"scale", 0.7}});
  EXPECT_EQ(y.type, f32({kSeq, kHeads, kDim}));
  for (int s = 0; s < kSeq; ++s) {
    for (int h = 0; h < kHeads; ++h) {
      const int rows = static_cast<int>(positions.data[s]) + 1;
      std::vector<double> weights;
      double sum = 0;
      for (int r = 0; r < rows; ++r) {
        double score = 0;
        for (int i = 0; i < kDim; ++i) {
          score += q.data[(s * kHeads + h) * kDim + i] * k.data[(h / 2 * kContext + r) * kDim + i];
        }
        weights.push_back(std::exp(0.7 * score));
        sum += weights.back();
      }
      for (int i = 0; i < kDim; ++i) {
        double expected = 0;
        for (int r = 0; r < rows; ++r) expected += weights[r] / sum * v.data[(h / 2 * kContext + r) * kDim + i];
        EXPECT_NEAR(y.data[(s * kHeads + h) * kDim + i], expected, 1e-12);
      }
    }
  }
  EXPECT_THROW(run_op("attention", {q, k, v, integer_tensor({0, 6})}, {{"scale", 1.0}}), Error);
}

TEST(Attention, RefusesWhatDoesNotFit) {
  const ir::Attributes scale{{"scale", 1.0}};
  const ir::TensorType cache = f32({2, 6, 3});
  expect_refusal("axis 1 of operand q is 3, which is no multiple of the 2 of axis 0 of operand k_cache", "attention",
                 {f32({1, 3, 3}), cache, cache, i32({1})}, scale);
  expect_refusal("axis 2 of operand k_cache is 3", "attention", {f32({1, 4, 5}), cache, cache, i32({1})}, scale);
  expect_refusal("axis 1 of operand v_cache is 7", "attention", {f32({1, 4, 3}), cache, f32({2, 7, 3}), i32({1})},
                 scale);
  expect_refusal("axis 0 of operand positions is 2", "attention", {f32({1, 4, 3}), cache, cache, i32({2})}, scale);
  expect_refusal("attribute scale is missing", "attention", {f32({1, 4, 3}), cache, cache, i32({1})});
  const ir::Work work =
      ir::get_op("attention").work(std::vector{f32({1, 4, 3}), cache, cache, i32({1})}, scale, f32({1, 4, 3}));
  EXPECT_EQ(work.flops, 4 * (6 * (4.0 * 3 + 5) + 3)) << "and a division of every sum";
}

}  // namespace
}  // namespace strata::ops
