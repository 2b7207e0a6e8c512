// SPDX-License-Identifier: Apache-2.0
// Values of e-classes by the ops' reference evaluation.
#pragma once

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "ir/interpreter.h"
#include "ir/rewrite.h"
#include "random_instance.h"

namespace strata::rules {

// ||a - b|| / ||b||; infinities and NaN must agree one by one.
inline double relative_error(const std::vector<double>& a, const std::vector<double>& b) {
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) {
      norm += std::isfinite(b[i]) ? b[i] * b[i] : 0;
      continue;
    }
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) return INFINITY;
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return difference == 0 ? 0 : std::sqrt(difference / norm);
}

class ClassValues {
 public:
  // Leaves get random values; integers those below their limit.
  ClassValues(const TensorGraph& tensors, const std::map<std::string, std::int64_t>& limits, std::uint64_t seed)
      : tensors_(tensors), limits_(limits), seed_(seed) {}

  // By the first of its nodes that doesn't need the class itself.
  const ir::Value* of(egraph::ClassId id) {
    id = tensors_.graph().find(id);
    const auto [entry, is_new] = values_.try_emplace(id, std::nullopt);
    if (is_new) {
      std::optional<ir::Value> found;
      for (const egraph::ENode node : tensors_.graph().nodes(id)) {
        if (tensors_.is_leaf(node) || tensors_.is_scalar(node)) found = of(node, id);
      }
      for (const egraph::ENode node : tensors_.graph().nodes(id)) {
        if (!found) found = of(node, id);
      }
      if (found) {
        values_[id] = std::move(found);
      } else {
        values_.erase(id);
        return nullptr;
      }
    }
    const auto& value = values_.at(id);
    return value ? &*value : nullptr;
  }

  // `of_magnitudes`: of an op on its operands without their signs, of which no two cancel.
  std::optional<ir::Value> of(const egraph::ENode& node, egraph::ClassId id, bool of_magnitudes = false) {
    const Operator& record = tensors_.operator_of(node);
    ir::Value value{ir::concrete_type(tensors_.type(id), {{"seq", 5}}), {}};
    if (tensors_.is_leaf(node)) return leaf(record.name, value.type);
    if (tensors_.is_scalar(node)) {
      value.data = {round(value.type.dtype, record.value)};
      return value;
    }
    std::vector<ir::Value> operands;
    for (const egraph::ClassId child : node.children) {
      const ir::Value* const operand = of(child);
      if (operand == nullptr) return std::nullopt;
      operands.push_back(*operand);
      if (!of_magnitudes) continue;
      for (double& element : operands.back().data) element = std::abs(element);
    }
    value.data = tensors_.op_of(node)->evaluate(operands, record.attributes, value.type);
    for (double& element : value.data) element = ir::round_to(value.type.dtype, element);
    return value;
  }

 private:
  static double round(DType dtype, double value) {
    return dtype == DType::kF32 ? static_cast<double>(static_cast<float>(value)) : ir::round_to(dtype, value);
  }

  ir::Value leaf(const std::string& name, const ir::TensorType& type) const {
    Random random(seed_ ^ hash64(std::as_bytes(std::span(name))));
    ir::Value value{type, std::vector<double>(static_cast<std::size_t>(ir::max_element_count(type.shape)))};
    const auto limit = limits_.find(name);
    for (double& element : value.data) {
      const double uniform = static_cast<double>(random() >> 11) * 0x1p-53;
      if (limit != limits_.end()) {
        element = std::floor(uniform * static_cast<double>(limit->second));
      } else {
        element = round(type.dtype, is_floating(type.dtype) ? 6 * uniform - 3 : 200 * uniform - 100);
      }
    }
    return value;
  }

  const TensorGraph& tensors_;
  const std::map<std::string, std::int64_t>& limits_;
  std::uint64_t seed_;
  std::unordered_map<egraph::ClassId, std::optional<ir::Value>> values_;
};

}  // namespace strata::rules
