// SPDX-License-Identifier: Apache-2.0
// What random modules are made of: sizes, parameters, weights, and ops on them whose values stay finite.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "ir/op.h"

namespace strata::compile {

// Values stay finite in f16: each has an estimate of its magnitude, and grows no further than kLargest.
class RandomValues {
 protected:
  explicit RandomValues(std::uint64_t seed) : random_(seed), module_("random") {}

  using Expr = ir::Expr;
  using Dim = ir::Dim;

  static constexpr double kLargest = 60;

  // A function that is being written. In a layer, constants are parameters that its callers bind.
  struct Body {
    bool is_layer = false;
    std::vector<const Expr*> parameters;
    std::vector<const Expr*> values;  // that ops may take
    std::vector<const Expr*> constants;
    std::vector<const Expr*> states;
    std::vector<const Expr*> updates;  // of the states
  };

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool chance(std::uint64_t percent) { return below(100) < percent; }
  template <class T>
  T pick(std::initializer_list<T> choices) {
    return choices.begin()[below(choices.size())];
  }
  Dim size() { return pick<std::int64_t>({1, 2, 3, 5, 7, 8, 16, 17, 31, 32, 33, 48, 65}); }
  DType weight_dtype() { return pick({DType::kF32, DType::kF32, DType::kF16, DType::kBF16}); }
  std::string fresh(const std::string& prefix) { return prefix + std::to_string(count_++); }

  void choose_sizes() {
    width_ = size();
    if (chance(35)) {
      rows_ = pick<std::int64_t>({1, 1, 7, 17, 31});
    } else {
      const std::int64_t min = pick<std::int64_t>({1, 1, 1, 2, 5});
      rows_ = Dim(1, module_.symbol({"seq", min, pick<std::int64_t>({7, 17, 20, 33}), 1}));
    }
    context_ = pick<std::int64_t>({33, 48, 64, 100});
    if (chance(40)) context_ = Dim(1, module_.symbol({"ctx", 64, 128, 64}));
  }

  ir::Shape random_shape() {
    ir::Shape shape;
    for (std::uint64_t rank = 1 + below(3); shape.size() < rank;) shape.push_back(size());
    if (chance(50)) shape[0] = rows_;
    return shape;
  }

  const Expr* parameter(Body& body, const std::string& name, const ir::TensorType& type) {
    const Expr* const made = module_.pool().parameter(name, type);
    body.parameters.push_back(made);
    return made;
  }

  // The parameter of this name, made when it is first used.
  const Expr* integers(Body& body, const std::string& name) {
    for (const Expr* known : body.parameters) {
      if (known->name == name) return known;
    }
    return parameter(body, name, {DType::kI32, {rows_}, {}, {}});
  }

  const Expr* weight(Body& body, const ir::TensorType& type) {
    if (!body.is_layer) return module_.pool().weight(fresh("w"), type);
    body.constants.push_back(parameter(body, fresh("c"), type));
    return body.constants.back();
  }

  // A weight, or an expression of weights: it is computed when the package is written.
  const Expr* constant(Body& body, const ir::TensorType& type) {
    for (const Dim& dim : type.shape) {
      if (!dim.is_constant()) throw usage_error("a weight has no dynamic axis");
    }
    if (chance(80)) return weight(body, type);
    ir::TensorType other = type;
    switch (below(4)) {
      case 0:
        other.dtype = weight_dtype();
        return raw("cast", {weight(body, other)}, {{"dtype", type.dtype}});
      case 1:
        return raw("mul", {weight(body, type), module_.pool().scalar(0.5, DType::kF32)});
      case 2:
        if (type.rank() != 2) break;
        std::swap(other.shape[0], other.shape[1]);
        return raw("transpose", {weight(body, other)}, {{"perm", std::vector<std::int64_t>{1, 0}}});
      default:
        if (!type.shape[0].is_constant()) break;
        other.shape[0] = type.shape[0].factor() + 3;
        return raw("slice", {weight(body, other)},
                   {{"axis", std::int64_t{0}}, {"begin", std::int64_t{2}}, {"end", type.shape[0].factor() + 2}});
    }
    return weight(body, type);
  }

  const Expr* raw(const std::string& name, std::vector<const Expr*> arguments, ir::Attributes attributes = {}) {
    ++ops_;
    return module_.pool().op(ir::get_op(name), std::move(arguments), std::move(attributes));
  }

  double magnitude(const Expr* value) const {
    const auto known = magnitudes_.find(value);
    return known == magnitudes_.end() ? 1 : known->second;
  }

  // An op whose result's elements are about so large; those that are too large are made small.
  const Expr* op(const std::string& name, std::vector<const Expr*> arguments, double large,
                 ir::Attributes attributes = {}) {
    const Expr* made = raw(name, std::move(arguments), std::move(attributes));
    if (large > kLargest) {
      made = raw(pick({"tanh", "sigmoid", "softmax"}), {made});
      large = 1;
    }
    magnitudes_[made] = large;
    return made;
  }

  const Expr* same_size(const std::string& name, const Expr* x, ir::Attributes attributes = {}) {
    return op(name, {x}, magnitude(x), std::move(attributes));
  }

  // Recent values are likelier, so that results depend on many ops.
  const Expr* any(const Body& body) {
    const std::size_t span = chance(70) ? std::min<std::size_t>(body.values.size(), 3) : body.values.size();
    return body.values[body.values.size() - 1 - below(span)];
  }
  const Expr* any_of_rank(const Body& body, int rank) {
    std::vector<const Expr*> fitting;
    for (const Expr* value : body.values) {
      if (value->type().rank() == rank) fitting.push_back(value);
    }
    return fitting.empty() ? nullptr : fitting[fitting.size() - 1 - below(std::min<std::size_t>(fitting.size(), 4))];
  }
  static Dim last(const Expr* value) { return value->type().shape.back(); }

  void add(Body& body, const Expr* value) { body.values.push_back(value); }

  std::mt19937_64 random_;
  ir::Module module_;
  std::map<const Expr*, double> magnitudes_;
  Dim rows_;
  Dim width_;
  Dim context_;
  int ops_ = 0;
  int count_ = 0;
};

}  // namespace strata::compile
