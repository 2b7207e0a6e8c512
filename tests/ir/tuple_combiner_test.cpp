// SPDX-License-Identifier: Apache-2.0
#include "ir/tuple_combiner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ir/scalar.h"

namespace strata::ir {
namespace {

// States of a part of the points, by the declaration.
struct State {
  double m, s, a;
};

double value_of(const ScalarExpr& body, const std::vector<double>& inputs, const std::vector<double>& states) {
  if (body.kind == ScalarExpr::Kind::kOperand) return inputs[static_cast<std::size_t>(body.number)];
  if (body.kind == ScalarExpr::Kind::kStage) return states[static_cast<std::size_t>(body.number)];
  const double a = value_of(body.arguments[0], inputs, states);
  const double b = body.arguments.size() < 2 ? 0 : value_of(body.arguments[1], inputs, states);
  return evaluate_scalar(*find_scalar_function(body.name), a, b);
}

std::vector<double> states_of(const TupleCombiner& combiner, const std::vector<std::vector<double>>& points) {
  std::vector<double> states;
  for (const Stage& state : combiner.states) {
    double value = state.combiner == Combiner::kMax ? -INFINITY : 0;
    for (const auto& inputs : points) {
      const double term = value_of(state.body, inputs, states);
      value = state.combiner == Combiner::kMax ? std::max(value, term) : value + term;
    }
    states.push_back(value);
  }
  return states;
}

// The states of two parts, rescaled to the larger maximum.
std::vector<double> combined(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> both = {std::max(a[0], b[0])};
  for (std::size_t i = 1; i < a.size(); ++i) {
    both.push_back(a[i] * std::exp(a[0] - both[0]) + b[i] * std::exp(b[0] - both[0]));
  }
  return both;
}

TEST(TupleCombiner, EveryOneIsOnline) {
  for (const std::string_view name : tuple_combiner_names()) EXPECT_TRUE(is_online(tuple_combiner(name))) << name;
  EXPECT_EQ(tuple_inputs("softmax_sum"), 2);
  EXPECT_EQ(tuple_inputs("sum"), -1);
}

TEST(TupleCombiner, PartsCombineToTheWhole) {
  std::mt19937 engine(1);
  std::uniform_real_distribution<double> value(-30, 30);
  for (const std::string_view name : tuple_combiner_names()) {
    const TupleCombiner& combiner = tuple_combiner(name);
    for (std::size_t cut = 1; cut < 20; ++cut) {
      std::vector<std::vector<double>> points(20, std::vector<double>(combiner.inputs.size()));
      for (auto& inputs : points) {
        for (double& input : inputs) input = value(engine);
      }
      const auto middle = points.begin() + static_cast<std::ptrdiff_t>(cut);
      const auto whole = states_of(combiner, points);
      const auto parts =
          combined(states_of(combiner, {points.begin(), middle}), states_of(combiner, {middle, points.end()}));
      for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(parts[i], whole[i], 1e-12 * (1 + std::abs(whole[i])));
    }
  }
}

TEST(TupleCombiner, OtherFormsAreNotOnline) {
  TupleCombiner combiner = tuple_combiner("softmax_sum");
  combiner.states[0].combiner = Combiner::kMin;
  EXPECT_FALSE(is_online(combiner));
  combiner = tuple_combiner("softmax_sum");
  const ScalarExpr difference = combiner.states[1].body.arguments[0];
  combiner.states[1].body = difference;  // x - m: no weight
  EXPECT_FALSE(is_online(combiner));
  combiner = tuple_combiner("softmax_sum");
  std::swap(combiner.states[2].body.arguments[0], combiner.states[2].body.arguments[1]);
  EXPECT_FALSE(is_online(combiner));
}

}  // namespace
}  // namespace strata::ir
