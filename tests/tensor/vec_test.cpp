// SPDX-License-Identifier: Apache-2.0
#include "tensor/vec.h"

#include "reference.h"

namespace strata::tensor {
namespace {

// The value of a 16-bit float with the given exponent and mantissa widths, from its definition.
double decode(std::uint16_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const double mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == (1 << exponent_bits) - 1) return mantissa != 0 ? std::nan("") : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
}
double decode(f16 x) { return decode(x.bits, 5, 10); }
double decode(bf16 x) { return decode(x.bits, 8, 7); }

template <class T>
T from_bits(std::uint32_t bits) {
  T value;
  value.bits = static_cast<std::uint16_t>(bits);
  return value;
}

bool same(double a, double b) { return (std::isnan(a) && std::isnan(b)) || a == b; }

template <class T, int N>
void check_widening() {
  T in[N];
  for (std::uint32_t base = 0; base < 0x10000; base += N) {
    for (int i = 0; i < N; ++i) in[i] = from_bits<T>(base + i);
    const Vec<float, N> out = load(Lanes<N>{}, in);
    for (int i = 0; i < N; ++i) {
      const double expected = decode(in[i]), actual = static_cast<double>(lane(out, i));
      ASSERT_TRUE(same(expected, actual) && (std::isnan(expected) || std::signbit(expected) == std::signbit(actual)))
          << type_name<T>() << " lanes " << N << " lane " << i << " bits " << base + i << ": expected " << expected
          << ", actual " << actual;
    }
  }
}

TEST(Convert, EveryF16Widens) {
  check_widening<f16, 1>();
  for_each_width([]<int N>(Lanes<N>) { check_widening<f16, N>(); });
}
TEST(Convert, EveryBf16Widens) {
  check_widening<bf16, 1>();
  for_each_width([]<int N>(Lanes<N>) { check_widening<bf16, N>(); });
}

// Round to nearest even by search among the neighbours: the 16-bit values of one sign are ordered as their bits.
template <class T>
std::uint16_t nearest(float x, std::uint16_t infinity) {
  const std::uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double magnitude = std::abs(static_cast<double>(x));
  std::uint32_t low = 0, high = infinity;  // low <= magnitude; infinity stands for the next power of two
  const auto value = [&](std::uint32_t bits) {
    return bits == infinity ? 2 * decode(from_bits<T>(infinity - 1)) - decode(from_bits<T>(infinity - 2))
                            : decode(from_bits<T>(bits));
  };
  if (magnitude >= value(infinity)) return sign | infinity;
  while (high - low > 1) {
    const std::uint32_t middle = (low + high) / 2;
    (value(middle) <= magnitude ? low : high) = middle;
  }
  const double down = magnitude - value(low), up = value(high) - magnitude;
  const bool round_up = up < down || (up == down && low % 2 == 1);
  return static_cast<std::uint16_t>(sign | (round_up ? high : low));
}

template <class T, int N>
void check_narrowing(const std::vector<float>& inputs, std::uint16_t infinity) {
  for (std::size_t base = 0; base + N <= inputs.size(); base += N) {
    T out[N];
    store(Lanes<N>{}, out, load(Lanes<N>{}, inputs.data() + base));
    for (int i = 0; i < N; ++i) {
      const float x = inputs[base + i];
      if (std::isnan(x)) {
        ASSERT_TRUE(std::isnan(decode(out[i]))) << type_name<T>() << " lanes " << N << " lost a NaN";
        continue;
      }
      ASSERT_EQ(out[i].bits, nearest<T>(x, infinity))
          << type_name<T>() << " lanes " << N << " lane " << i << " of " << x;
    }
  }
}

// Random bit patterns, and every border between two neighbours (exact ties and one ulp beside them).
template <class T>
std::vector<float> narrowing_inputs() {
  std::vector<float> inputs;
  std::mt19937 engine(7);
  for (int i = 0; i < 100000; ++i) inputs.push_back(bit_cast<float>(static_cast<std::uint32_t>(engine())));
  for (std::uint32_t bits = 0; bits < 0x10000; bits += 3) {
    const float low = static_cast<float>(from_bits<T>(bits)), high = static_cast<float>(from_bits<T>(bits + 1));
    const float tie = low + (high - low) / 2;
    for (const float x : {low, tie, std::nextafter(tie, 0.0f), std::nextafter(tie, INFINITY)}) inputs.push_back(x);
  }
  inputs.insert(inputs.end(), {65519.9f, 65520.0f, 3.4e38f, INFINITY, -INFINITY, NAN, -NAN, 0.0f, -0.0f, 1e-45f});
  inputs.push_back(bit_cast<float>(0x7f800001));  // NaN whose payload is lost by truncation
  inputs.resize((inputs.size() + 15) / 16 * 16);
  return inputs;
}

template <class T>
void check_narrowing_all(std::uint16_t infinity) {
  const auto inputs = narrowing_inputs<T>();
  check_narrowing<T, 1>(inputs, infinity);
  for_each_width([&]<int N>(Lanes<N>) { check_narrowing<T, N>(inputs, infinity); });
}

TEST(Convert, F32RoundsToNearestEvenF16) { check_narrowing_all<f16>(0x7c00); }
TEST(Convert, F32RoundsToNearestEvenBf16) { check_narrowing_all<bf16>(0x7f80); }

template <class T, int N>
void check_integers() {
  T in[N], out[N];
  for (int i = 0; i < N; ++i) in[i] = static_cast<T>(i * 7 % 100);
  const Vec<float, N> v = load(Lanes<N>{}, in);
  for (int i = 0; i < N; ++i) ASSERT_EQ(lane(v, i), static_cast<float>(in[i])) << sizeof(T) << " bytes, lane " << i;
  store<N>(Lanes<N>{}, out, v + 0.75f);
  for (int i = 0; i < N; ++i) ASSERT_EQ(out[i], in[i]) << sizeof(T) << " bytes, lane " << i;
}

TEST(Convert, IntegersLoadAndTruncate) {
  for_each_width([]<int N>(Lanes<N>) {
    check_integers<std::int8_t, N>();
    check_integers<std::uint8_t, N>();
    check_integers<std::int32_t, N>();
    check_integers<std::int64_t, N>();
  });
  check_integers<std::int32_t, 1>();
}

TEST(Convert, StridedLanesLieApart) {
  for_each_width([]<int N>(Lanes<N>) {
    bf16 in[7 * N];
    for (int i = 0; i < 7 * N; ++i) in[i] = bf16(static_cast<float>(i));
    for (const int stride : {0, 1, 3, 7}) {
      const Vec<float, N> out = load_strided(Lanes<N>{}, in, stride);
      for (int i = 0; i < N; ++i) EXPECT_EQ(lane(out, i), static_cast<float>(in[i * stride])) << N << " by " << stride;
    }
  });
}

TEST(Convert, BoolIsZeroOrOne) {
  const bool in[4] = {true, false, false, true};
  const Vec<float, 4> v = load(Lanes<4>{}, in);
  bool out[4];
  store<4>(Lanes<4>{}, out, v * 3.0f);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(v[i], in[i] ? 1.0f : 0.0f);
    EXPECT_EQ(out[i], in[i]);
  }
}

}  // namespace
}  // namespace strata::tensor
