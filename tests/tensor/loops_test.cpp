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

// Of every type: 2 * x + 1 in place, the last element beyond the range left alone.
template <int N, class T>
void check_vectors(const char* type) {
  for (std::int64_t count = 0; count < 3 * N; ++count) {
    std::vector<T> x;
    for (std::int64_t i = 0; i <= count; ++i) x.push_back(T(static_cast<float>(i % 2)));
    std::vector<T> expected = x;
    for (std::int64_t i = 0; i < count; ++i) expected[i] = T(2 * static_cast<float>(x[i]) + 1);
    int calls = 0;
    for_each_vector<N>(count, [&](auto lanes, std::int64_t i) {
      ++calls;
      store(lanes, x.data() + i, 2 * load(lanes, x.data() + i) + splat(lanes, 1.0f));
    });
    for (std::int64_t i = 0; i <= count; ++i) {
      ASSERT_EQ(static_cast<float>(x[i]), static_cast<float>(expected[i])) << type << " lanes " << N << " of " << count;
    }
    ASSERT_EQ(calls, arch::kHasMasks<N> ? (count + N - 1) / N : count / N + count % N) << type << " lanes " << N;
  }
}

TEST(ForEachVector, TakesTheRemainderAtOnceWhereThereAreMasks) {
  for_each_width([]<int N>(Lanes<N>) {
    check_vectors<N, float>("f32");
    check_vectors<N, f16>("f16");
    check_vectors<N, bf16>("bf16");
    check_vectors<N, std::int32_t>("i32");
    check_vectors<N, std::int8_t>("i8");
  });
}

TEST(ForEachVector, ReadsApartOnlyWhatIsInside) {
  for_each_width([]<int N>(Lanes<N>) {
    for (std::int64_t count = 0; count < 3 * N; ++count) {
      const std::vector<float> x = random_values<float>(3 * count + 1, 7);
      std::vector<float> y(count + 1, 0.0f);
      for_each_vector<N>(count, [&](auto lanes, std::int64_t i) {
        store(lanes, y.data() + i, load_strided(lanes, x.data() + 3 * i, 3));
      });
      for (std::int64_t i = 0; i <= count; ++i) ASSERT_EQ(y[i], i < count ? x[3 * i] : 0.0f) << "lanes " << N;
    }
  });
}

// The lanes beyond the end don't count, whatever the body makes of their zeros.
TEST(ReduceVectors, LeavesOutWhatIsBeyondTheEnd) {
  for_each_width([]<int N>(Lanes<N>) {
    for (std::int64_t count = 1; count < 3 * N; ++count) {
      const auto body = [&](auto lanes, std::int64_t) {
        return 1.0f / load(lanes, std::vector<float>(2 * N, 2.0f).data());
      };
      EXPECT_EQ((reduce_vectors<N>(count, 0.0f, Sum{}, body)), 0.5f * static_cast<float>(count)) << "lanes " << N;
      EXPECT_EQ((reduce_vectors<N>(count, 0.0f, Max{}, body)), 0.5f) << "lanes " << N;
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
    const float in_vectors = reduce_vectors<N>(count, static_cast<float>(init), Combine{},
                                               [&](auto lanes, std::int64_t i) { return load(lanes, x.data() + i); });
    for (const float result : {actual, in_vectors}) {
      ASSERT_NEAR(static_cast<double>(result), expected,
                  (static_cast<double>(count) + 1) * kUnit * (1.0 + std::abs(init)))
          << name << " lanes " << N << " count " << count;
    }
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
