// SPDX-License-Identifier: Apache-2.0
#include "tensor/loops.h"

#include "reference.h"

namespace strata::tensor {
namespace {

TEST(ForEachLaneGroup, TouchesEveryElementOnce) {
  for_each_width([]<int N>(Lanes<N>) {
    for (std::int64_t count = 0; count < 70; ++count) {
      std::vector<float> x(count + 1, 0.0f);
      for_each_lane_group<N>(count, [&]<int M>(Lanes<M> lanes, std::int64_t i) {
        store<M>(lanes, x.data() + i, load(lanes, x.data() + i) + static_cast<float>(M == N ? 1 : 2));
      });
      for (std::int64_t i = 0; i < count; ++i) {
        ASSERT_EQ(x[i], i < count / N * N ? 1.0f : 2.0f) << "lanes " << N << " count " << count << " element " << i;
      }
      ASSERT_EQ(x[count], 0.0f) << "lanes " << N << " count " << count << " wrote beyond the end";
    }
  });
}

template <int N, class Combine, class Reference>
void check_reduce(const char* name, double init, Reference reference) {
  for (const std::int64_t count : {0, 1, 3, 4, 7, 16, 17, 31, 64, 65, 100, 257}) {
    const auto x = random_values<float>(count, 3);
    double expected = init;
    for (const float v : x) expected = reference(expected, static_cast<double>(v));
    const float actual = reduce<N>(count, static_cast<float>(init), Combine{},
                                   [&](auto lanes, std::int64_t i) { return load(lanes, x.data() + i); });
    ASSERT_NEAR(static_cast<double>(actual), expected,
                (static_cast<double>(count) + 1) * kUnit * (1.0 + std::abs(init)))
        << name << " lanes " << N << " count " << count;
  }
}

TEST(Reduce, MatchesTheDefinition) {
  for_each_width([]<int N>(Lanes<N>) {
    check_reduce<N, Sum>("sum", 0.5, [](double a, double b) { return a + b; });
    check_reduce<N, Max>("max", -0.25, [](double a, double b) { return std::max(a, b); });
    check_reduce<N, Min>("min", 0.25, [](double a, double b) { return std::min(a, b); });
    check_reduce<N, Product>("product", 2.0, [](double a, double b) { return a * b; });
  });
}

TEST(Reduce, OneLaneIsAPlainLoop) {
  check_reduce<1, Sum>("sum", 0.5, [](double a, double b) { return a + b; });
}

}  // namespace
}  // namespace strata::tensor
