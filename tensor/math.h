// SPDX-License-Identifier: Apache-2.0
// Elementary functions on float and on vectors of float lanes (one template each; V is Vec<float, N>).
// exp, exp_of_negative, tanh, sigmoid, silu and gelu_tanh are vector code; log, sin, cos, erf call the C library lane
// by lane. What each costs is told to the compiler in src/machine/machine.h.
#pragma once

#include <limits>

#include "tensor/vec.h"

namespace strata::tensor {

template <class V, class F>
STRATA_INLINE V map_lanes(V x, F&& f) {
  if constexpr (kLanesOf<V> == 1) {
    return f(x);
  } else {
    STRATA_UNROLL
    for (int i = 0; i < kLanesOf<V>; ++i) x[i] = f(x[i]);
    return x;
  }
}

// NaN in the first argument gives the second, in the second gives NaN (as maxps and minps do).
template <class V>
STRATA_INLINE V max(V a, V b) {
  return select(a > b, a, b);
}
template <class V>
STRATA_INLINE V min(V a, V b) {
  return select(a < b, a, b);
}

template <class V>
STRATA_INLINE V abs(V x) {
  return bit_cast<V>(bit_cast<IntsOf<V>>(x) & 0x7fffffff);
}

// The nearest integer, even where two are.
template <class V>
STRATA_INLINE V rint(V x) {
  constexpr float kRound = 0x1p23f;  // of this magnitude and beyond all are integers
  const V round =
      bit_cast<V>((bit_cast<IntsOf<V>>(x) & std::numeric_limits<std::int32_t>::min()) | bit_cast<std::int32_t>(kRound));
  return select(abs(x) < kRound, settled(x + round) - round, x);
}

template <class V>
STRATA_INLINE V sqrt(V x) {
#if defined(__clang__)
  return __builtin_elementwise_sqrt(x);
#else
  return map_lanes(x, [](float v) { return __builtin_sqrtf(v); });
#endif
}

template <class V>
STRATA_INLINE V rsqrt(V x) {
  return 1.0f / sqrt(x);
}

// x = n ln 2 + r with |r| <= ln 2 / 2 (ln 2 in two parts).
template <class V>
struct ExpArgument {
  static constexpr int kBias = 126;
  static constexpr float kRound = 0x1.8p23f + kBias;  // adding it leaves the nearest integer in the low bits
  V shifted;                                          // n + kRound
  V r;

  STRATA_INLINE explicit ExpArgument(V x) : shifted(x * 0x1.715476p0f + kRound) {
    const V n = shifted - kRound;
    r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
  }
  // e^r - 1 = r + r^2 p(r) with a minimax p of our own fit (0.05 ulp). In powers of r^2: the shorter chain of
  // operations is 3 to 9 % faster than Horner's.
  STRATA_INLINE V expm1() const {
    const V r2 = r * r;
    const V high = r2 * 0x1.6a2318p-10f + (r * 0x1.123a8ep-7f + 0x1.5558f6p-5f);
    const V low = r * 0x1.555490p-3f + 0x1.fffffcp-2f;
    return (high * r2 + low) * r2 + r;
  }
};

// e^x within 1 ulp for normal results; gradual underflow below -87.3, 0 below -103.98, infinity above 88.72, NaN stays.
// 2^n is applied in two factors, so that neither over- nor underflows before the product does.
template <class V>
STRATA_INLINE V exp(V x) {
  using I = IntsOf<V>;
  using Argument = ExpArgument<V>;
  const Argument argument(min(broadcast<V>(89.0f), max(broadcast<V>(-105.0f), x)));  // in this order NaN passes
  const I exponent = bit_cast<I>(argument.shifted) - bit_cast<std::int32_t>(Argument::kRound);
  const I half = exponent >> 1;
  const V low = bit_cast<V>((half + 127) << 23);
  const V high = bit_cast<V>((exponent - half + 127) << 23);
  return (argument.expm1() + 1.0f) * low * high;
}

// e^x of what is not above 0, within 1 ulp; 0 below -86.99, NaN stays. As no result is large, 2^n needs one factor:
// 2 * 2^(n-1), whose exponent field is what the bias left in the low bits, and 0 where the clamp begins.
template <class V>
STRATA_INLINE V exp_of_negative(V x) {
  static_assert(ExpArgument<V>::kBias == 127 - 1);
  const ExpArgument<V> argument(max(broadcast<V>(-87.0f), x));
  const V half_scale = bit_cast<V>(bit_cast<IntsOf<V>>(argument.shifted) << 23);
  return (argument.expm1() * 2.0f + 2.0f) * half_scale;
}

// 1 + e^-x, infinity below -88.72, NaN stays. As no result is tiny, this takes two thirds of the operations of exp: 2^n
// is 2 * 2^(n-1), whose exponent field is what the bias left in the low bits; above 87 the sum is 1 anyway.
template <class V>
STRATA_INLINE V one_plus_exp_minus(V x) {
  static_assert(ExpArgument<V>::kBias == 127 - 1);
  const ExpArgument<V> argument(-min(broadcast<V>(87.0f), max(broadcast<V>(-89.0f), x)));
  const V half_scale = bit_cast<V>(bit_cast<IntsOf<V>>(argument.shifted) << 23);
  return (argument.expm1() * 2.0f + 2.0f) * half_scale + 1.0f;
}

template <class V>
STRATA_INLINE V sigmoid(V x) {
  return 1.0f / one_plus_exp_minus(x);
}

// x * sigmoid(x); the clamp makes -infinity give -0 instead of NaN and changes no other value.
template <class V>
STRATA_INLINE V silu(V x) {
  return max(broadcast<V>(-89.0f), x) / one_plus_exp_minus(x);
}

// Within 6 ulp, and never beyond 1. x P(x^2) / Q(x^2), own minimax fit of relative error 2.1e-8 up to 9.02, from where
// on the result is 1; at the limit the fraction is above it, so that infinity gives 1 itself.
template <class V>
STRATA_INLINE V tanh(V x) {
  const V limit = V{} + 9.5f, one = V{} + 1.0f;
  x = max(-limit, min(limit, x));
  const V z = x * x;
  V p = z * 0x1.c9a396p-27f + 0x1.59550ep-16f;
  V q = z * 0x1.a0b7dep-21f + 0x1.5841a6p-12f;
  p = p * z + 0x1.c9f83p-9f;
  q = q * z + 0x1.a7df12p-6f;
  p = p * z + 0x1.12043cp-3f;
  q = q * z + 0x1.de5768p-2f;
  p = p * z + 1.0f;
  q = q * z + 1.0f;
  return max(-one, min(one, x * p / q));
}

template <class V>
STRATA_INLINE V log(V x) {
  return map_lanes(x, [](float v) { return __builtin_logf(v); });
}
template <class V>
STRATA_INLINE V sin(V x) {
  return map_lanes(x, [](float v) { return __builtin_sinf(v); });
}
template <class V>
STRATA_INLINE V cos(V x) {
  return map_lanes(x, [](float v) { return __builtin_cosf(v); });
}
template <class V>
STRATA_INLINE V erf(V x) {
  return map_lanes(x, [](float v) { return __builtin_erff(v); });
}

// Gaussian error linear unit: x Phi(x).
template <class V>
STRATA_INLINE V gelu(V x) {
  return 0.5f * x * map_lanes(x * -0x1.6a09e6p-1f, [](float v) { return __builtin_erfcf(v); });
}

// Its tanh approximation ("gelu_pytorch_tanh").
template <class V>
STRATA_INLINE V gelu_tanh(V x) {
  return 0.5f * x * (1.0f + tanh(0x1.988454p-1f * (x + 0x1.6e4e26p-5f * x * x * x)));
}

}  // namespace strata::tensor
