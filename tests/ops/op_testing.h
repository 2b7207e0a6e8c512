// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "ir/op.h"

namespace strata::ops {

// Deterministic values in [low, high).
inline ir::Value random_tensor(ir::Shape shape, unsigned seed, double low = -1, double high = 1) {
  ir::Value value{{DType::kF32, std::move(shape), {}, {}}, {}};
  std::mt19937 engine(seed);
  for (std::int64_t i = 0; i < ir::max_element_count(value.type.shape); ++i) {
    value.data.push_back(low + (high - low) * static_cast<double>(engine()) / 4294967296.0);
  }
  return value;
}

inline ir::Value integer_tensor(std::vector<double> data) {
  return {{DType::kI32, {static_cast<std::int64_t>(data.size())}, {}, {}}, std::move(data)};
}

inline std::vector<ir::TensorType> types_of(const std::vector<ir::Value>& operands) {
  std::vector<ir::TensorType> types;
  for (const ir::Value& operand : operands) types.push_back(operand.type);
  return types;
}

// Infers and evaluates.
inline ir::Value run_op(const std::string& name, const std::vector<ir::Value>& operands,
                        const ir::Attributes& attributes = {}) {
  const ir::Op& op = ir::get_op(name);
  const ir::TensorType type = op.infer(types_of(operands), attributes);
  return {type, op.evaluate(operands, attributes, type)};
}

// The message with which an op refuses operands of these types.
inline std::string refusal(const std::string& name, const std::vector<ir::TensorType>& operands,
                           const ir::Attributes& attributes = {}) {
  try {
    (void)ir::get_op(name).infer(operands, attributes);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

inline void expect_close(const std::vector<double>& actual, const std::vector<double>& expected,
                         const std::string& what = "", double tolerance = 1e-12) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], tolerance * (1 + std::abs(expected[i]))) << what << ", element " << i;
  }
}

inline ir::TensorType f32(ir::Shape shape) { return {DType::kF32, std::move(shape), {}, {}}; }
inline ir::TensorType i32(ir::Shape shape) { return {DType::kI32, std::move(shape), {}, {}}; }

}  // namespace strata::ops
