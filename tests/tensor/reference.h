// SPDX-License-Identifier: Apache-2.0
// What the tests of the tensor library share: seeded data, names of types, error bounds, lane counts.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tensor/vec.h"

namespace strata::tensor {

inline constexpr double kUnit = 0x1p-24;  // unit round-off of f32

template <class T>
const char* type_name() {
  if constexpr (std::is_same_v<T, float>) return "f32";
  if constexpr (std::is_same_v<T, f16>) return "f16";
  if constexpr (std::is_same_v<T, bf16>) return "bf16";
  return "integer";
}

// Values in (-1, 1) rounded to T.
template <class T>
std::vector<T> random_values(std::int64_t count, std::uint32_t seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) value = T(uniform(engine));
  return values;
}

// A sum of products in double with the sum of magnitudes, which scales the error bound of an f32 evaluation.
struct Dot {
  double value = 0;
  double magnitude = 0;
  int terms = 0;
  void add(float a, float b) {
    const double product = static_cast<double>(a) * static_cast<double>(b);
    value += product;
    magnitude += std::abs(product);
    ++terms;
  }
  // Worst case of recursive summation in any order, each product rounded.
  double bound() const { return (terms + 2) * kUnit * magnitude; }
};

inline testing::AssertionResult near_dot(const Dot& expected, float actual, const std::string& what) {
  if (std::abs(expected.value - static_cast<double>(actual)) <= expected.bound()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << what << ": expected " << expected.value << " +- " << expected.bound()
                                     << ", actual " << actual;
}

// The lane counts that this program tests: all; or those of STRATA_TEST_LANES, where other programs test the others.
#ifndef STRATA_TEST_LANES
#define STRATA_TEST_LANES 4, 8, 16
#endif
inline constexpr int kTestedLanes[] = {STRATA_TEST_LANES};
template <int L>
inline constexpr bool kIsTested = std::ranges::find(kTestedLanes, L) != std::end(kTestedLanes);
inline constexpr int kMostLanes = std::ranges::max(kTestedLanes);

// Calls f(Lanes<L>) if the program tests so many lanes.
template <int L, class F>
void if_tested(F&& f) {
  if constexpr (kIsTested<L>) f(Lanes<L>{});
}

// Calls f(Lanes<16>), f(Lanes<8>), f(Lanes<4>), if tested.
template <class F>
void for_each_width(F&& f) {
  if_tested<16>(f);
  if_tested<8>(f);
  if_tested<4>(f);
}

}  // namespace strata::tensor
