// SPDX-License-Identifier: Apache-2.0
// What declarations can say beyond the ops that there are, against loops written by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "ops/structured_op.h"
#include "tests/ops/op_testing.h"

namespace strata::ops {
namespace {

using ir::Value;

Value evaluate(const StructuredOp& op, const std::vector<Value>& operands, const ir::Attributes& attributes = {}) {
  const ir::TensorType type = op.infer(types_of(operands), attributes);
  return {type, op.evaluate(operands, attributes, type)};
}

std::string evaluation_refusal(const StructuredOp& op, const std::vector<Value>& operands) {
  try {
    (void)evaluate(op, operands);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

Value integers(ir::Shape shape, std::vector<double> data) { return {i32(std::move(shape)), std::move(data)}; }

// Weights in blocks of four with a scale each: block sums under a sum over blocks.
TEST(DeclarationSays, ReductionsInsideOfReductions) {
  const StructuredOp op("blocks", {"a", "w", "scale"},
                        "c[m, n] = sum(b) scale[n, b] * sum(k) a[m, 4 * b + k] * w[n, 4 * b + k]");
  const Value a = random_tensor({3, 12}, 1), w = random_tensor({5, 12}, 2), scale = random_tensor({5, 3}, 3);
  std::vector<double> expected;
  for (int m = 0; m < 3; ++m) {
    for (int n = 0; n < 5; ++n) {
      double sum = 0;
      for (int k = 0; k < 12; ++k) sum += a.data[m * 12 + k] * w.data[n * 12 + k] * scale.data[n * 3 + k / 4];
      expected.push_back(sum);
    }
  }
  expect_close(evaluate(op, {a, w, scale}).data, expected);
  const ir::Work work = op.work(std::vector{a.type, w.type, scale.type}, {}, f32({3, 5}));
  EXPECT_EQ(work.flops, 3 * 5 * 3 * (2 + 4 * 2)) << "a product and a sum per block, and so for each of its elements";
  EXPECT_EQ(work.read_bytes, 4 * (36 + 60 + 15));
}

// Numbers of eight bits in blocks of four along a row, with a scale and an offset each.
TEST(DeclarationSays, DequantisationOfBlocks) {
  const StructuredOp op("dequantise", {"q", "scale", "offset"},
                        "w[n, k] = (q[n, k] - offset[n, k / 4]) * scale[n, k / 4]", ResultDType::kF32);
  Value q{{DType::kI8, {3, 8}}, {}};
  for (int i = 0; i < 24; ++i) q.data.push_back((i * 37) % 256 - 128);
  const Value scale = random_tensor({3, 2}, 1), offset = random_tensor({3, 2}, 2);
  const Value w = evaluate(op, {q, scale, offset});
  ASSERT_EQ(w.type, f32({3, 8}));
  for (int n = 0; n < 3; ++n) {
    for (int k = 0; k < 8; ++k) {
      const int block = n * 2 + k / 4;
      EXPECT_EQ(w.data[n * 8 + k], (q.data[n * 8 + k] - offset.data[block]) * scale.data[block]);
    }
  }
  EXPECT_NE(evaluation_refusal(op, {q, random_tensor({2, 2}, 1), offset}).find("axis 0 of operand scale"),
            std::string::npos);
}

TEST(DeclarationSays, ReductionsBesideOtherFactors) {
  const StructuredOp op("centred", {"x"}, "y[i] = x[i] - (max(k) x[k]) * (min(k) x[k])");
  expect_close(evaluate(op, {{f32({3}), {2, -1, 5}}}).data, {7, 4, 10});
}

// A cache of pages of four rows, found by a table: looked up, and appended to.
TEST(DeclarationSays, LookUpInPages) {
  const StructuredOp look_up("look_up", {"pool", "pages"}, "y[t, i] = pool[pages[t / 4], t % 4, i]");
  const Value pool = random_tensor({5, 4, 3}, 1);
  const Value y = evaluate(look_up, {pool, integer_tensor({3, 0})});
  ASSERT_EQ(y.type, f32({8, 3}));
  for (int t = 0; t < 8; ++t) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(y.data[t * 3 + i], pool.data[((t < 4 ? 3 : 0) * 4 + t % 4) * 3 + i]);
  }
  EXPECT_NE(evaluation_refusal(look_up, {pool, integer_tensor({3, 5})}).find("index 5 of axis 0 of operand pool"),
            std::string::npos);
  EXPECT_NE(evaluation_refusal(look_up, {pool, random_tensor({2}, 1)}).find("operand pages is of f32"),
            std::string::npos);
}

TEST(DeclarationSays, AppendToPages) {
  const StructuredOp append("append", {"pool", "pages", "positions", "x"},
                            "pool[pages[positions[s] / 4], positions[s] % 4, i] = x[s, i]");
  EXPECT_TRUE(append.writes_alias());
  const Value pool = random_tensor({5, 4, 3}, 1), x = random_tensor({2, 3}, 2);
  const Value y = evaluate(append, {pool, integer_tensor({3, 0, 4}), integer_tensor({2, 5}), x});
  std::vector<double> expected = pool.data;
  for (int i = 0; i < 3; ++i) expected[(3 * 4 + 2) * 3 + i] = x.data[i], expected[(0 * 4 + 1) * 3 + i] = x.data[3 + i];
  EXPECT_EQ(y.data, expected);
  EXPECT_EQ(append.work(std::vector{pool.type, i32({3}), i32({2}), x.type}, {}, pool.type).written_bytes, 2 * 3 * 4);
  EXPECT_NE(evaluation_refusal(append, {pool, integer_tensor({3, 0, 4}), integer_tensor({2, 12}), x})
                .find("index 3 of axis 0"),
            std::string::npos);
  EXPECT_NE(evaluation_refusal(append, {pool, integer_tensor({3, 0, 4}), integer_tensor({2, -1}), x})
                .find("index -1 of axis 0"),
            std::string::npos);
}

// Queries of several sequences of unequal length, each with its own cache.
TEST(DeclarationSays, AttentionOfSeveralSequences) {
  const StructuredOp op("attend", {"q", "k", "v", "sequence", "length"},
                        "y[s, d] = softmax_sum(t < length[sequence[s]]) sum(i) q[s, i] * k[sequence[s], t, i],"
                        " v[sequence[s], t, d]");
  const Value q = random_tensor({4, 3}, 1), k = random_tensor({2, 6, 3}, 2), v = random_tensor({2, 6, 2}, 3);
  const std::vector<double> sequence = {0, 1, 1, 0}, length = {6, 2};
  const Value y = evaluate(op, {q, k, v, integer_tensor(sequence), integer_tensor(length)});
  ASSERT_EQ(y.type, f32({4, 2}));
  for (int s = 0; s < 4; ++s) {
    const int of = static_cast<int>(sequence[s]);
    double sum = 0, weighted[2] = {0, 0};
    for (int t = 0; t < static_cast<int>(length[of]); ++t) {
      double score = 0;
      for (int i = 0; i < 3; ++i) score += q.data[s * 3 + i] * k.data[(of * 6 + t) * 3 + i];
      sum += std::exp(score);
      for (int d = 0; d < 2; ++d) weighted[d] += std::exp(score) * v.data[(of * 6 + t) * 2 + d];
    }
    for (int d = 0; d < 2; ++d) EXPECT_NEAR(y.data[s * 2 + d], weighted[d] / sum, 1e-12);
  }
}

// Of each head a number that takes its part of the weights, and has no value (attention sinks, arXiv 2309.17453).
TEST(DeclarationSays, AttentionWithSinks) {
  const StructuredOp op("attend", {"q", "k", "v", "sinks", "p"},
                        "x[s, h, t] = sum(i) q[s, h, i] * k[h / g, t, i];"
                        "m[s, h] = max(sinks[h], (max(t <= p[s]) x[s, h, t]));"
                        "l[s, h] = exp(sinks[h] - m[s, h]) + (sum(t <= p[s]) exp(x[s, h, t] - m[s, h]));"
                        "y[s, h, d] = sum(t <= p[s]) exp(x[s, h, t] - m[s, h]) / l[s, h] * v[h / g, t, d]");
  const Value q = random_tensor({3, 4, 5}, 1), k = random_tensor({2, 6, 5}, 2), v = random_tensor({2, 6, 3}, 3);
  const Value sinks = random_tensor({4}, 4, -2, 3);
  const std::vector<double> positions = {0, 3, 5};
  const Value y = evaluate(op, {q, k, v, sinks, integer_tensor(positions)});
  ASSERT_EQ(y.type, f32({3, 4, 3}));
  for (int s = 0; s < 3; ++s) {
    for (int h = 0; h < 4; ++h) {
      double sum = std::exp(sinks.data[h]), weighted[3] = {0, 0, 0};
      for (int t = 0; t <= static_cast<int>(positions[s]); ++t) {
        double score = 0;
        for (int i = 0; i < 5; ++i) score += q.data[(s * 4 + h) * 5 + i] * k.data[((h / 2) * 6 + t) * 5 + i];
        sum += std::exp(score);
        for (int d = 0; d < 3; ++d) weighted[d] += std::exp(score) * v.data[((h / 2) * 6 + t) * 3 + d];
      }
      for (int d = 0; d < 3; ++d) EXPECT_NEAR(y.data[(s * 4 + h) * 3 + d], weighted[d] / sum, 1e-12);
    }
  }
}

TEST(DeclarationSays, BoundsMayBeUnequalAlongTheInnermostLoop) {
  const StructuredOp op("running", {"x", "n"}, "y[i] = sum(t < n[i]) x[t]");
  expect_close(evaluate(op, {{f32({4}), {1, 2, 4, 8}}, integer_tensor({4, 0, 1, 2})}).data, {15, 0, 1, 3});
  EXPECT_NE(evaluation_refusal(op, {{f32({4}), {1, 2, 4, 8}}, integer_tensor({5})}).find("t runs to 4"),
            std::string::npos);
  const StructuredOp largest("largest_k", {"x", "n"}, "y[i] = max(t < n[i]) x[t]");
  EXPECT_NE(
      evaluation_refusal(largest, {{f32({4}), {1, 2, 4, 8}}, integer_tensor({0})}).find("no t lies within its bounds"),
      std::string::npos);
}

TEST(DeclarationSays, ElementsOfATensorOfTwoAxesAreIndices) {
  const StructuredOp op("pick", {"x", "at"}, "y[i, j] = x[i, at[i, j] + 1]");
  const Value x = random_tensor({2, 4}, 1);
  const Value y = evaluate(op, {x, integers({2, 2}, {0, 2, 1, -1})});
  EXPECT_EQ(y.data, (std::vector<double>{x.data[1], x.data[3], x.data[4 + 2], x.data[4 + 0]}));
  EXPECT_EQ(op.work(std::vector{x.type, i32({2, 2})}, {}, f32({2, 2})).read_bytes, 4 * (2 * 4 + 4));
}

}  // namespace
}  // namespace strata::ops
