// SPDX-License-Identifier: Apache-2.0
// Divisions that are right where each device knows where its part begins.
#include "ir/part_signature.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ops/structured_op.h"
#include "tests/ops/op_testing.h"

namespace strata::ops {
namespace {

using ir::TensorType;
using ir::Value;
using Texts = std::vector<std::string>;

Texts part_texts(const ir::Op& op, const std::vector<TensorType>& operands, const ir::Attributes& attributes = {}) {
  Texts found;
  const TensorType result = op.infer(operands, attributes);
  for (const ir::SbpSignature& signature : ir::part_signatures(*op.loops(operands, attributes), operands, result)) {
    found.push_back(signature.text(op));
  }
  return found;
}

Texts part_texts(const std::string& op, const std::vector<TensorType>& operands,
                 const ir::Attributes& attributes = {}) {
  return part_texts(ir::get_op(op), operands, attributes);
}

TEST(PartSignatures, AContextIsDividedIntoStates) {
  const std::vector<TensorType> operands = {f32({2, 4, 6}), f32({2, 8, 6}), f32({2, 8, 10}), i32({2})};
  const Texts split = {"q: B, k_cache: S(1), v_cache: S(1), positions: B -> P(softmax)"};
  EXPECT_EQ(part_texts("attention", operands, {{"scale", 1.0}}), split);
  EXPECT_EQ(part_texts("windowed_attention", operands, {{"scale", 1.0}, {"window", 2.0}}), split);
  EXPECT_EQ(part_texts("capped_attention", operands, {{"scale", 1.0}, {"softcap", 2.0}}), split);
  const StructuredOp op("weigh", {"x", "v"}, "y[s, d] = softmax_sum(t) x[s, t], v[t, d]", ResultDType::kF32);
  EXPECT_EQ(part_texts(op, {f32({2, 4}), f32({4, 6})}), Texts{"x: S(1), v: S(0) -> P(softmax)"});
}

TEST(PartSignatures, RowsByNumberAreZeroWhereOthersHaveThem) {
  EXPECT_EQ(part_texts("gather", {f32({8, 4}), i32({6})}), Texts{"table: S(0), ids: B -> P"});
  EXPECT_EQ(part_texts("cache_append", {f32({2, 8, 4}), f32({6, 2, 4}), i32({6})}),
            Texts{"cache: S(1), x: B, positions: B -> S(1)"});
}

TEST(PartSignatures, NumbersAreCountedFromTheBeginning) {
  EXPECT_EQ(part_texts("causal_mask", {f32({2, 4, 6}), i32({4})}), Texts{"x: S(2), positions: B -> S(2)"});
  const StructuredOp op("steps", {"x"}, "y[i] = x[i] * i");
  EXPECT_EQ(part_texts(op, {f32({4})}), Texts{"x: S(0) -> S(0)"});
}

TEST(PartSignatures, WhatIsNotRightIsNotThere) {
  EXPECT_EQ(part_texts("matmul_nt", {f32({2, 4}), f32({6, 4})}), Texts{}) << "others have all of them";
  EXPECT_EQ(part_texts("softmax", {f32({2, 4})}), Texts{});
  EXPECT_EQ(part_texts("gather", {{DType::kBF16, {8, 4}}, i32({6})}, {{"dtype", DType::kBF16}}), Texts{})
      << "summands would be rounded";
  const auto none = [](const std::string& declaration, const std::vector<TensorType>& operands) {
    const std::vector<std::string> names = {"x", "n"};
    const StructuredOp op("near", {names.begin(), names.begin() + static_cast<std::ptrdiff_t>(operands.size())},
                          declaration);
    EXPECT_EQ(part_texts(op, operands), Texts{}) << declaration;
  };
  none("y[i] = x[i] / extent(i)", {f32({4})});
  none("y[s] = exp(x[n[s]])", {f32({8}), i32({6})});
  none("y[s] = x[n[s] / 2]", {f32({8}), i32({6})});
  none("y[s] = x[n[s] + 1]", {f32({8}), i32({6})});
  none("y[s] = x[n[s]] * x[0]", {f32({8}), i32({6})});
  none("y[i] = x[i] + sum(t <= i) x[t]", {f32({4})});
  none("x[n[s]] = x[s]", {f32({8}), i32({8})});
}

Value value(const TensorType& type, std::vector<double> data) { return {type, std::move(data)}; }

// Row `head` of a [heads, context, columns] tensor's part, and all of them.
std::vector<double> context_part(const std::vector<double>& all, int heads, int context, int columns, int begin,
                                 int end) {
  std::vector<double> part;
  for (int h = 0; h < heads; ++h) {
    const auto from = all.begin() + (h * context + begin) * columns;
    part.insert(part.end(), from, from + (end - begin) * columns);
  }
  return part;
}

// The states of two parts joined, against the whole.
TEST(PartSignatures, StatesOfPartsGiveTheWhole) {
  constexpr int kRows = 3, kHeads = 2, kContext = 12, kInner = 4, kBegin = 5;
  const TensorType queries = f32({kRows, kHeads, kInner}), cache = f32({1, kContext, kInner});
  const auto q = random_tensor(queries.shape, 1, -1, 1).data, k = random_tensor(cache.shape, 2, -1, 1).data;
  const auto v = random_tensor(cache.shape, 3, -1, 1).data;
  const std::vector<double> positions = {7, 11, 5};
  const ir::Op& op = ir::get_op("attention");
  const ir::Attributes attributes = {{"scale", 0.7}};
  const auto attend = [&](int begin, int end) {
    std::vector<double> shifted = positions;
    for (double& position : shifted) position = std::min(position, end - 1.0) - begin;
    const TensorType part = f32({1, end - begin, kInner});
    const std::vector<Value> operands = {
        value(queries, q), value(part, context_part(k, 1, kContext, kInner, begin, end)),
        value(part, context_part(v, 1, kContext, kInner, begin, end)), value(i32({kRows}), shifted)};
    return op.evaluate(operands, attributes, queries);
  };
  const auto weight = [&](int row, int begin, int end) {
    double sum = 0;
    for (int t = begin; t < end && t <= positions[static_cast<std::size_t>(row / kHeads)]; ++t) {
      double score = 0;
      for (int i = 0; i < kInner; ++i)
        score += q[static_cast<std::size_t>(row * kInner + i)] * k[static_cast<std::size_t>(t * kInner + i)];
      sum += std::exp(0.7 * score);
    }
    return sum;
  };
  const auto whole = attend(0, kContext), first = attend(0, kBegin), second = attend(kBegin, kContext);
  for (int row = 0; row < kRows * kHeads; ++row) {
    const double a = weight(row, 0, kBegin), b = weight(row, kBegin, kContext);
    for (int i = 0; i < kInner; ++i) {
      const auto at = static_cast<std::size_t>(row * kInner + i);
      EXPECT_NEAR(whole[at], (a * first[at] + b * second[at]) / (a + b), 1e-12);
    }
  }
}

}  // namespace
}  // namespace strata::ops
