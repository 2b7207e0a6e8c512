// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "ir/by_number.h"
#include "tests/ops/op_testing.h"

namespace strata::ops {
namespace {

using ir::Value;

Value numbers(std::int64_t rows, std::int64_t each, std::int64_t below, unsigned seed) {
  Value value{{DType::kI32, {rows, each}, {}, {}}, {}};
  std::mt19937 engine(seed);
  for (std::int64_t i = 0; i < rows * each; ++i) value.data.push_back(static_cast<double>(engine() % below));
  return value;
}

Value reshaped(Value value, ir::Shape shape) {
  value.type.shape = std::move(shape);
  return value;
}

TEST(TopK, OrdersAndTakesTheFirstOfEqualOnes) {
  Value x = random_tensor({2, 5}, 1);
  x.data = {1, 3, 3, -2, 0, -1, -1, -1, -1, -1};
  const Value y = run_op("largest_k", {x}, {{"k", 3L}});
  EXPECT_EQ(y.type, i32({2, 3}));
  EXPECT_EQ(y.data, (std::vector<double>{1, 2, 0, 0, 1, 2}));
}

TEST(TopK, TakesWhatIsNoNumberLast) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  Value x = random_tensor({1, 4}, 1);
  x.data = {nan, -infinity, 2, nan};
  EXPECT_EQ(run_op("largest_k", {x}, {{"k", 4L}}).data, (std::vector<double>{2, 1, 0, 3}));
}

TEST(TopK, RefusesMoreThanThereAre) {
  EXPECT_NE(refusal("largest_k", {f32({2, 5})}, {{"k", 6L}}).find("has no 6 elements"), std::string::npos);
  EXPECT_NE(refusal("largest_k", {f32({2, 5})}, {{"k", 0L}}).find("has no 0 elements"), std::string::npos);
  EXPECT_NE(refusal("largest_k", {f32({2, 5})}).find("k is missing"), std::string::npos);
}

TEST(Experts, ProductsByLoopsOfHand) {
  const std::int64_t rows = 5, each = 3, experts = 4, n = 7, k = 6;
  const Value shared = random_tensor({rows, k}, 1), own = random_tensor({rows, each, k}, 2);
  const Value matrices = random_tensor({experts, n, k}, 3);
  const Value ids = numbers(rows, each, experts, 4);
  std::vector<double> of_shared, of_own;
  for (std::int64_t r = 0; r < rows * each; ++r) {
    for (std::int64_t j = 0; j < n; ++j) {
      double a = 0, b = 0;
      for (std::int64_t i = 0; i < k; ++i) {
        const double w =
            matrices.data[static_cast<std::size_t>((static_cast<std::int64_t>(ids.data[r]) * n + j) * k + i)];
        a += shared.data[static_cast<std::size_t>(r / each * k + i)] * w;
        b += own.data[static_cast<std::size_t>(r * k + i)] * w;
      }
      of_shared.push_back(a);
      of_own.push_back(b);
    }
  }
  expect_close(run_op("routed_matmul_nt", {shared, matrices, ids}).data, of_shared);
  expect_close(run_op("routed_rows_matmul_nt", {own, matrices, ids}).data, of_own);
  const Value stacked = reshaped(matrices, {experts * n, k});
  const ir::Attributes attributes = {{"matrices", experts}};
  const Value made = run_op("matmul_nt_by_number", {shared, stacked, ids}, attributes);
  EXPECT_EQ(made.type, f32({rows, each, n}));
  expect_close(made.data, of_shared);
  expect_close(run_op("matmul_nt_by_number", {own, stacked, ids}, attributes).data, of_own);
}

TEST(Experts, ScalesLieBesideTheirMatrix) {
  const std::int64_t rows = 3, each = 2, experts = 3, n = 5, k = 8, block = 4;
  const Value a = random_tensor({rows, k}, 1), codes = random_tensor({experts * n, k}, 2);
  const Value scales = random_tensor({experts * n, k / block}, 3);
  const Value ids = numbers(rows, each, experts, 4);
  const ir::Attributes attributes = {{"matrices", experts}};
  const Value whole = run_op("scale_blocks", {codes, scales});
  expect_close(run_op("scaled_matmul_nt_by_number", {a, codes, scales, ids}, attributes).data,
               run_op("matmul_nt_by_number", {a, whole, ids}, attributes).data);
}

TEST(Experts, TakeAndWeigh) {
  const Value x = random_tensor({3, 6}, 1), ids = numbers(3, 2, 6, 2), made = random_tensor({3, 2, 4}, 3);
  const Value weights = run_op("take", {x, ids});
  std::vector<double> taken, sums(12, 0.0);
  for (std::size_t r = 0; r < 6; ++r) {
    taken.push_back(x.data[r / 2 * 6 + static_cast<std::size_t>(ids.data[r])]);
    for (std::size_t n = 0; n < 4; ++n) sums[r / 2 * 4 + n] += taken.back() * made.data[r * 4 + n];
  }
  EXPECT_EQ(weights.data, taken);
  expect_close(run_op("weighted_sum", {weights, made}).data, sums);
}

// At most all experts, and at most one for each row's number.
TEST(Experts, ReadsTheChosenOnes) {
  const auto bytes = [](std::int64_t rows) {
    const std::vector<ir::TensorType> types = {f32({rows, 8}), f32({64, 16, 8}), i32({rows, 4})};
    const ir::Op& op = ir::get_op("routed_matmul_nt");
    return op.work(types, {}, op.infer(types, {})).read_bytes - static_cast<double>(rows) * (8 + 4) * 4;
  };
  EXPECT_EQ(bytes(1), 4 * 16 * 8 * 4);
  EXPECT_EQ(bytes(3), 12 * 16 * 8 * 4);
  EXPECT_EQ(bytes(100), 64 * 16 * 8 * 4);
}

TEST(Experts, RefusesRowsThatDoNotFit) {
  const ir::Attributes attributes = {{"matrices", 4L}};
  const auto expect = [&](const std::string& what, const std::vector<ir::TensorType>& types) {
    const std::string message = refusal("matmul_nt_by_number", types, attributes);
    EXPECT_NE(message.find(what), std::string::npos) << message;
  };
  EXPECT_EQ(refusal("matmul_nt_by_number", {f32({2, 8}), f32({12, 8}), i32({2, 3})}, attributes), "accepted");
  expect("operand b is not 4 matrices", {f32({2, 8}), f32({13, 8}), i32({2, 3})});
  expect("operand a has other rows", {f32({3, 8}), f32({12, 8}), i32({2, 3})});
  expect("operand a has other rows", {f32({2, 4, 8}), f32({12, 8}), i32({2, 3})});
  expect("has no axes [s, j]", {f32({2, 8}), f32({12, 8}), i32({2})});
  expect("operand numbers", {f32({2, 8}), f32({12, 8}), f32({2, 3})});
  expect("matmul_nt", {f32({2, 9}), f32({12, 8}), i32({2, 3})});
}

TEST(Experts, TypesOfOneMatrix) {
  const ir::ByNumber* const of = ir::by_number(ir::get_op("scaled_matmul_nt_by_number"));
  ASSERT_NE(of, nullptr);
  EXPECT_EQ(&of->of_one(), &ir::get_op("scaled_matmul_nt"));
  EXPECT_EQ(ir::by_number(ir::get_op("scaled_matmul_nt")), nullptr);
  const std::vector<ir::TensorType> types = {f32({5, 3, 8}), f32({12, 8}), f32({12, 2}), i32({5, 3})};
  EXPECT_EQ(ir::types_of_one(*of, types, 4, 7), (std::vector<ir::TensorType>{f32({7, 8}), f32({3, 8}), f32({3, 2})}));
}

}  // namespace
}  // namespace strata::ops
