// SPDX-License-Identifier: Apache-2.0
#include "tensor/math.h"

#include <limits>

#include "reference.h"

namespace strata::tensor {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// Distance in units of the last place of the f32 result; subnormal results count in the smallest subnormal.
double ulps(double expected, float actual) {
  if (std::isnan(expected)) return std::isnan(actual) ? 0 : 1e9;
  const float rounded = static_cast<float>(expected);
  if (std::isinf(rounded) || std::isinf(actual)) {
    return rounded == actual || (std::isinf(actual) && std::abs(expected) > 3.4028234e38) ? 0 : 1e9;
  }
  int exponent = 0;
  std::frexp(std::max(std::abs(expected), 0x1p-126), &exponent);
  return std::abs(expected - static_cast<double>(actual)) / std::ldexp(1.0, exponent - 24);
}

// All floats of both signs with a prime stride, through 1, 4, 8 and 16 lanes.
template <int N, class F, class Reference>
void check_lanes(const char* name, double bound, float low, float high, F&& f, Reference&& reference) {
  double worst = 0;
  float worst_at = 0;
  float x[N], y[N];
  for (std::uint64_t bits = 0; bits < (1ull << 32); bits += N * 8191ull) {
    for (int i = 0; i < N; ++i) x[i] = bit_cast<float>(static_cast<std::uint32_t>(bits + i * 8191ull));
    store(Lanes<N>{}, y, f(load(Lanes<N>{}, x)));
    for (int i = 0; i < N; ++i) {
      if (!(x[i] >= low && x[i] <= high)) continue;
      const double error = ulps(reference(static_cast<double>(x[i])), y[i]);
      if (error > worst) worst = error, worst_at = x[i];
    }
  }
  EXPECT_LE(worst, bound) << name << " with " << N << " lanes at " << worst_at << ": expected "
                          << reference(static_cast<double>(worst_at)) << ", actual "
                          << lane(f(splat(Lanes<1>{}, worst_at)), 0);
}

template <class F, class Reference>
void check(const char* name, double bound, float low, float high, F f, Reference reference) {
  check_lanes<1>(name, bound, low, high, f, reference);
  for_each_width([&]<int N>(Lanes<N>) { check_lanes<N>(name, bound, low, high, f, reference); });
}

#define CHECK_FUNCTION(name, bound, low, high, reference) \
  check(#name, bound, low, high, [](auto x) { return name(x); }, [](double x) { return reference; })

TEST(Math, Exp) { CHECK_FUNCTION(exp, 1.0, -kInf, kInf, std::exp(x)); }
// Below the limit the result is 0, within the smallest normal number.
TEST(Math, ExpOfNegative) {
  CHECK_FUNCTION(exp_of_negative, 1.0, -86.98f, 0.0f, std::exp(x));
  for (const float x : {-86.992f, -87.0f, -100.0f, -kInf}) EXPECT_EQ(exp_of_negative(x), 0.0f) << x;
  EXPECT_EQ(exp_of_negative(0.0f), 1.0f);
  EXPECT_TRUE(std::isnan(exp_of_negative(NAN)));
}
TEST(Math, Tanh) { CHECK_FUNCTION(tanh, 6.0, -kInf, kInf, std::tanh(x)); }
// Below -87 the result is subnormal or rounds to zero: e^-x overflows first.
TEST(Math, Sigmoid) { CHECK_FUNCTION(sigmoid, 2.5, -87.0f, kInf, 1 / (1 + std::exp(-x))); }
TEST(Math, Silu) { CHECK_FUNCTION(silu, 2.5, -87.0f, kInf, x / (1 + std::exp(-x))); }
TEST(Math, Log) { CHECK_FUNCTION(log, 1.0, 0.0f, kInf, std::log(x)); }
TEST(Math, Sqrt) { CHECK_FUNCTION(sqrt, 0.5, 0.0f, kInf, std::sqrt(x)); }
TEST(Math, Rsqrt) { CHECK_FUNCTION(rsqrt, 1.5, 0x1p-126f, kInf, 1 / std::sqrt(x)); }
TEST(Math, Sin) { CHECK_FUNCTION(sin, 1.0, -1e4f, 1e4f, std::sin(x)); }
TEST(Math, Cos) { CHECK_FUNCTION(cos, 1.0, -1e4f, 1e4f, std::cos(x)); }
TEST(Math, Erf) { CHECK_FUNCTION(erf, 1.0, -kInf, kInf, std::erf(x)); }
TEST(Math, Abs) { CHECK_FUNCTION(abs, 0.0, -kInf, kInf, std::abs(x)); }
// Relative accuracy holds where the error function does not cancel; the tail is bounded in absolute terms below.
TEST(Math, Gelu) { CHECK_FUNCTION(gelu, 4.0, -1.0f, 1e30f, 0.5 * x * std::erfc(-x / std::sqrt(2.0))); }

TEST(Math, GeluTanhApproximation) {
  for (float x = -8.0f; x <= 8.0f; x += 0.01f) {
    const double t = static_cast<double>(x);
    const double expected = 0.5 * t * (1 + std::tanh(std::sqrt(2 / M_PI) * (t + 0.044715 * t * t * t)));
    ASSERT_NEAR(static_cast<double>(gelu_tanh(x)), expected, 4e-7 * std::max(1.0, std::abs(t))) << "at " << x;
  }
}

TEST(Math, ExpAtTheBorders) {
  EXPECT_EQ(exp(0.0f), 1.0f);
  EXPECT_EQ(exp(-0.0f), 1.0f);
  EXPECT_EQ(exp(kInf), kInf);
  EXPECT_EQ(exp(-kInf), 0.0f);
  EXPECT_EQ(exp(88.73f), kInf);
  EXPECT_LT(exp(88.72f), kInf);
  EXPECT_EQ(exp(-104.0f), 0.0f);
  EXPECT_GT(exp(-103.0f), 0.0f);
  EXPECT_TRUE(std::isnan(exp(NAN)));
  EXPECT_TRUE(std::isnan(exp(-NAN)));
}

TEST(Math, ActivationsAtTheBorders) {
  EXPECT_EQ(silu(-kInf), 0.0f);
  EXPECT_EQ(silu(kInf), kInf);
  EXPECT_EQ(sigmoid(-kInf), 0.0f);
  EXPECT_EQ(sigmoid(kInf), 1.0f);
  EXPECT_EQ(tanh(kInf), 1.0f);
  EXPECT_EQ(tanh(-kInf), -1.0f);
  EXPECT_TRUE(std::isnan(silu(NAN)));
  EXPECT_TRUE(std::isnan(sigmoid(NAN)));
  EXPECT_TRUE(std::isnan(tanh(NAN)));
  EXPECT_TRUE(std::signbit(tanh(-0.0f)));
}

TEST(Math, MinMaxPerLane) {
  const Vec<float, 4> a = {1, -2, 3, -kInf}, b = {0, 5, 3, 7};
  const Vec<float, 4> low = min(a, b), high = max(a, b);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(low[i], std::min(a[i], b[i])) << "lane " << i;
    EXPECT_EQ(high[i], std::max(a[i], b[i])) << "lane " << i;
  }
}

}  // namespace
}  // namespace strata::tensor
