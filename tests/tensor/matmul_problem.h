// SPDX-License-Identifier: Apache-2.0
// Random matmuls with what every element of their results should be.
#pragma once

#include <string>
#include <vector>

#include "reference.h"
#include "tensor/matmul.h"

namespace strata::tensor {

inline constexpr std::int64_t kColumns[] = {1, 7, 17, 31, 33, 100};
inline constexpr std::int64_t kDepths[] = {1, 2, 7, 33, 64};
inline constexpr float kUntouched = 12345.0f;

template <class T>
struct Problem {
  std::int64_t m, n, k;
  std::vector<float> a = random_values<float>(m * k, 1);
  std::vector<T> b = random_values<T>(n * k, 2);

  Dot dot(std::int64_t row, std::int64_t column, bool round_a = false) const {
    Dot sum;
    for (std::int64_t i = 0; i < k; ++i) {
      const float x = a[row * k + i];
      sum.add(round_a ? static_cast<float>(bf16(x)) : x, static_cast<float>(b[column * k + i]));
    }
    return sum;
  }

  // C has a leading dimension beyond n: what lies there must stay as it was.
  std::int64_t ldc() const { return n + 3; }
  std::vector<float> untouched() const { return std::vector<float>(m * ldc(), kUntouched); }

  std::string describe(const char* kernel, int lanes, BLayout layout) const {
    return std::string(kernel) + " " + type_name<T>() + (layout == BLayout::kPairs ? " pairs" : "") + " lanes " +
           std::to_string(lanes) + " m " + std::to_string(m) + " n " + std::to_string(n) + " k " + std::to_string(k);
  }
  testing::AssertionResult check(const std::vector<float>& c, const std::string& what, bool round_a = false) const {
    for (std::int64_t row = 0; row < m; ++row) {
      for (std::int64_t column = 0; column < ldc(); ++column) {
        const std::string where = what + " at [" + std::to_string(row) + "," + std::to_string(column) + "]";
        const float actual = c[row * ldc() + column];
        if (column >= n) {
          if (actual != kUntouched) return testing::AssertionFailure() << where << ": written outside the matrix";
          continue;
        }
        const auto result = near_dot(dot(row, column, round_a), actual, where);
        if (!result) return result;
      }
    }
    return testing::AssertionSuccess();
  }
};

template <int L, BLayout Layout, class T>
std::vector<T> packed(const Problem<T>& problem) {
  std::vector<T> out(packed_b_elements<L, Layout>(problem.n, problem.k));
  pack_panels<L, Layout>(problem.b.data(), problem.n, problem.k, out.data());
  return out;
}

}  // namespace strata::tensor
