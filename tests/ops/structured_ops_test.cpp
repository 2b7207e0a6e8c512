// SPDX-License-Identifier: Apache-2.0
// Declared ops against loops written by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "tests/ops/op_testing.h"

namespace strata::ops {
namespace {

using ir::Value;

TEST(Elementwise, UnaryFunctions) {
  const double sqrt2 = std::sqrt(2.0);
  const std::map<std::string, std::function<double(double)>> functions = {
      {"neg", [](double x) { return -x; }},
      {"abs", [](double x) { return std::abs(x); }},
      {"exp", [](double x) { return std::exp(x); }},
      {"log", [](double x) { return std::log(x); }},
      {"sqrt", [](double x) { return std::sqrt(x); }},
      {"rsqrt", [](double x) { return 1 / std::sqrt(x); }},
      {"sin", [](double x) { return std::sin(x); }},
      {"cos", [](double x) { return std::cos(x); }},
      {"tanh", [](double x) { return std::tanh(x); }},
      {"erf", [](double x) { return std::erf(x); }},
      {"sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"silu", [](double x) { return x / (1 + std::exp(-x)); }},
      {"gelu", [sqrt2](double x) { return x * 0.5 * std::erfc(-x / sqrt2); }},
      {"gelu_tanh",
       [](double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * std::pow(x, 3)))); }},
  };
  for (const auto& [name, function] : functions) {
    SCOPED_TRACE(name);
    const bool positive = name == "log" || name.find("sqrt") != std::string::npos;
    // Longer than one block of the interpreter, and no multiple of it.
    const Value x = random_tensor({3, 701}, 1, positive ? 0.1 : -3, 3);
    std::vector<double> expected;
    for (const double v : x.data) expected.push_back(function(v));
    expect_close(run_op(name, {x}).data, expected);
  }
}

TEST(Elementwise, BinaryFunctionsBroadcast) {
  const std::map<std::string, std::function<double(double, double)>> functions = {
      {"add", [](double a, double b) { return a + b; }},
      {"sub", [](double a, double b) { return a - b; }},
      {"mul", [](double a, double b) { return a * b; }},
      {"div", [](double a, double b) { return a / b; }},
      {"maximum", [](double a, double b) { return std::max(a, b); }},
      {"minimum", [](double a, double b) { return std::min(a, b); }},
  };
  for (const auto& [name, function] : functions) {
    SCOPED_TRACE(name);
    const Value a = random_tensor({3, 1, 7}, 1);
    const Value b = random_tensor({5, 1}, 2);
    const Value y = run_op(name, {a, b});
    EXPECT_EQ(y.type, f32({3, 5, 7}));
    std::vector<double> expected;
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 5; ++j) {
        for (int k = 0; k < 7; ++k) expected.push_back(function(a.data[i * 7 + k], b.data[j]));
      }
    }
    expect_close(y.data, expected);
  }
}

TEST(Elementwise, BlocksHaveScales) {
  const Value x = random_tensor({2, 12}, 1);
  const Value scales = random_tensor({2, 3}, 2);
  std::vector<double> expected;
  for (int i = 0; i < 24; ++i) expected.push_back(x.data[i] * scales.data[i / 12 * 3 + i % 12 / 4]);
  expect_close(run_op("scale_blocks", {x, scales}).data, expected);
  EXPECT_NE(
      refusal("scale_blocks", {f32({2, 12}), f32({2, 5})}).find("axis 1 of operand x is 12, which is no multiple"),
      std::string::npos);
}

TEST(Elementwise, ScalarsAndResultTypes) {
  const Value x = random_tensor({2, 3}, 1);
  expect_close(run_op("mul", {{f32({}), {2}}, x}).data, run_op("add", {x, x}).data);
  EXPECT_EQ(run_op("neg", {random_tensor({}, 3)}).data.size(), 1U);
  const ir::TensorType bf16{DType::kBF16, {2, 3}, {}, {}};
  EXPECT_EQ(ir::get_op("add").infer(std::vector{bf16, f32({2, 3})}, {}), bf16);
  EXPECT_EQ(run_op("cast", {x}, {{"dtype", DType::kF16}}).type.dtype, DType::kF16);
  EXPECT_NE(refusal("cast", {bf16}).find("cast: the attribute dtype is missing"), std::string::npos);
  EXPECT_NE(refusal("cast", {bf16}, {{"dtype", 1.0}}).find("no dtype"), std::string::npos);
}

TEST(Contraction, MatmulsInEveryOrientation) {
  constexpr int kM = 5, kN = 37, kK = 301;
  const Value a = random_tensor({kM, kK}, 1);
  const Value b = random_tensor({kK, kN}, 2);
  const Value a_t = run_op("transpose", {a}, {{"perm", std::vector<std::int64_t>{1, 0}}});
  const Value b_t = run_op("transpose", {b}, {{"perm", std::vector<std::int64_t>{1, 0}}});
  std::vector<double> expected;
  for (int m = 0; m < kM; ++m) {
    for (int n = 0; n < kN; ++n) {
      double sum = 0;
      for (int k = 0; k < kK; ++k) sum += a.data[m * kK + k] * b.data[k * kN + n];
      expected.push_back(sum);
    }
  }
  expect_close(run_op("matmul", {a, b}).data, expected);
  expect_close(run_op("matmul_nt", {a, b_t}).data, expected);
  expect_close(run_op("matmul_tn", {a_t, b}).data, expected);
  const Value batched{f32({1, kM, kK}), a.data};
  expect_close(run_op("batch_matmul", {batched, {f32({1, kK, kN}), b.data}}).data, expected);
  expect_close(run_op("batch_matmul_nt", {batched, {f32({1, kN, kK}), b_t.data}}).data, expected);
}

TEST(Contraction, BatchesAreIndependent) {
  const Value a = random_tensor({2, 3, 4}, 1);
  const Value b = random_tensor({2, 4, 5}, 2);
  const Value y = run_op("batch_matmul", {a, b});
  double sum = 0;
  for (int k = 0; k < 4; ++k) sum += a.data[12 + 4 + k] * b.data[20 + k * 5 + 2];
  EXPECT_NEAR(y.data[15 + 5 + 2], sum, 1e-14);
}

TEST(Contraction, TypesLeadingAxesAndErrors) {
  const ir::TensorType packed{DType::kBF16, {37, 64}, {{{16, 0}, {2, 1}}}, {}};
  EXPECT_EQ(ir::get_op("matmul_nt").infer(std::vector{f32({2, 3, 64}), packed}, {}), f32({2, 3, 37}));
  EXPECT_EQ(ir::get_op("matmul_nt").infer(std::vector{f32({64}), packed}, {}), f32({37}));
  EXPECT_NE(refusal("matmul", {f32({2, 3}), f32({4, 5})}).find("axis 0 of operand b is 4"), std::string::npos);
  EXPECT_NE(refusal("matmul", {f32({2, 3}), f32({3})}).find("operand b has 1 axes"), std::string::npos);
  EXPECT_NE(refusal("batch_matmul", {f32({2, 3, 4}), f32({3, 4, 5})}).find("operand b is 3"), std::string::npos);
}

TEST(Contraction, WorkOfAMatmul) {
  const ir::TensorType a = f32({8, 64});
  const ir::TensorType b{DType::kBF16, {48, 64}, {{{16, 0}}}, {}};
  const ir::Op& op = ir::get_op("matmul_nt");
  const ir::Work work = op.work(std::vector{a, b}, {}, f32({8, 48}));
  EXPECT_EQ(work.flops, 2.0 * 8 * 48 * 64);
  EXPECT_EQ(work.read_bytes, 8 * 64 * 4 + 48 * 64 * 2);
  EXPECT_EQ(work.written_bytes, 8 * 48 * 4);
}

TEST(Reduction, OverTheLastAxis) {
  const Value x = random_tensor({3, 2, 300}, 4);
  std::vector<double> sum, largest, smallest, mean;
  for (int row = 0; row < 6; ++row) {
    const auto begin = x.data.begin() + row * 300;
    double total = 0;
    for (int k = 0; k < 300; ++k) total += begin[k];
    sum.push_back(total);
    mean.push_back(total / 300);
    largest.push_back(*std::max_element(begin, begin + 300));
    smallest.push_back(*std::min_element(begin, begin + 300));
  }
  expect_close(run_op("reduce_sum", {x}).data, sum);
  expect_close(run_op("reduce_mean", {x}).data, mean);
  expect_close(run_op("reduce_max", {x}).data, largest);
  expect_close(run_op("reduce_min", {x}).data, smallest);
  EXPECT_EQ(run_op("reduce_max", {x}).type, f32({3, 2}));
  EXPECT_NE(refusal("reduce_sum", {f32({})}).find("at least 1"), std::string::npos);
}

TEST(Norm, RmsNorm) {
  const Value x = random_tensor({3, 11}, 1);
  const Value w = random_tensor({11}, 2);
  std::vector<double> expected;
  for (int row = 0; row < 3; ++row) {
    double squares = 0;
    for (int k = 0; k < 11; ++k) squares += x.data[row * 11 + k] * x.data[row * 11 + k];
    for (int k = 0; k < 11; ++k) {
      expected.push_back(x.data[row * 11 + k] / std::sqrt(squares / 11 + 1e-3) * w.data[k]);
    }
  }
  expect_close(run_op("rms_norm", {x, w}, {{"eps", 1e-3}}).data, expected);
  EXPECT_NE(refusal("rms_norm", {f32({2, 3}), f32({3})}).find("attribute eps is missing"), std::string::npos);
  EXPECT_NE(refusal("rms_norm", {f32({2, 3}), f32({4})}, {{"eps", 1e-6}}).find("axis 0 of operand w is 4"),
            std::string::npos);
}

TEST(Norm, LayerNorm) {
  const Value x = random_tensor({2, 13}, 1);
  const Value w = random_tensor({13}, 2);
  const Value b = random_tensor({13}, 3);
  std::vector<double> expected;
  for (int row = 0; row < 2; ++row) {
    double mean = 0, variance = 0;
    for (int k = 0; k < 13; ++k) mean += x.data[row * 13 + k] / 13;
    for (int k = 0; k < 13; ++k) variance += std::pow(x.data[row * 13 + k] - mean, 2) / 13;
    for (int k = 0; k < 13; ++k) {
      expected.push_back((x.data[row * 13 + k] - mean) / std::sqrt(variance + 1e-5) * w.data[k] + b.data[k]);
    }
  }
  expect_close(run_op("layer_norm", {x, w, b}, {{"eps", 1e-5}}).data, expected);
}

TEST(Norm, SoftmaxOfLargeValues) {
  const Value x = random_tensor({4, 259}, 1, 600, 800);
  std::vector<double> expected;
  for (int row = 0; row < 4; ++row) {
    double sum = 0;
    for (int k = 0; k < 259; ++k) sum += std::exp(x.data[row * 259 + k] - 700);
    for (int k = 0; k < 259; ++k) expected.push_back(std::exp(x.data[row * 259 + k] - 700) / sum);
  }
  expect_close(run_op("softmax", {x}).data, expected);
}

TEST(Rope, RotatesTheHalves) {
  constexpr int kSeq = 3, kHeads = 2, kHalf = 5;
  const Value positions = integer_tensor({0, 7, 2});
  const Value frequencies = random_tensor({kHalf}, 1, 0, 1);
  const Value angles = run_op("rope_angles", {positions, frequencies});
  EXPECT_EQ(angles.type, f32({kSeq, kHalf}));
  const Value x = random_tensor({kSeq, kHeads, 2, kHalf}, 2);
  const Value y = run_op("rope", {x, run_op("cos", {angles}), run_op("sin", {angles})});
  for (int s = 0; s < kSeq; ++s) {
    for (int h = 0; h < kHeads; ++h) {
      for (int i = 0; i < kHalf; ++i) {
        const double angle = positions.data[s] * frequencies.data[i];
        const int real = (s * kHeads + h) * 2 * kHalf + i;
        const int imaginary = real + kHalf;
        EXPECT_NEAR(y.data[real], x.data[real] * std::cos(angle) - x.data[imaginary] * std::sin(angle), 1e-12);
        EXPECT_NEAR(y.data[imaginary], x.data[imaginary] * std::cos(angle) + x.data[real] * std::sin(angle), 1e-12);
      }
    }
  }
  EXPECT_NE(refusal("rope", {f32({3, 2, 3, 5}), f32({3, 5}), f32({3, 5})}).find("axis 2 of operand x (3)"),
            std::string::npos);
}

TEST(Registry, EveryOpIsSound) {
  const std::vector<const ir::Op*> ops = ir::all_ops();
  EXPECT_GE(ops.size(), 40U);
  for (const ir::Op* op : ops) {
    EXPECT_EQ(ir::find_op(op->name()), op);
    EXPECT_EQ(static_cast<int>(op->operand_names().size()), op->arity());
    EXPECT_TRUE(op->aliased_operand().has_value() || !op->writes_alias()) << op->name();
  }
  EXPECT_EQ(ir::find_op("wobble"), nullptr);
  EXPECT_THROW((void)ir::get_op("wobble"), std::logic_error);
}

}  // namespace
}  // namespace strata::ops
