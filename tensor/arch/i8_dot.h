// SPDX-License-Identifier: Apache-2.0
// The int8 quad dot product. Apart from the other instructions, as Arm's needs a header that generated code should not
// pay for.
#pragma once

#include "tensor/vec.h"

#if defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#endif

namespace strata::tensor::arch {

// Whether the bytes of i8_dot's first factor are signed.
#if defined(__ARM_FEATURE_DOTPROD)
template <int N>
inline constexpr bool kHasSignedDot = N == 4;
#else
template <int N>
inline constexpr bool kHasSignedDot = false;
#endif

// acc[i] + the sum of the four products of bytes in a[i] and b[i]. The bytes of b are signed, and those of a where
// kHasSignedDot says so; else they are unsigned.
template <int N>
STRATA_INLINE Vec<std::int32_t, N> i8_dot(Vec<std::int32_t, N> acc, Vec<std::int32_t, N> a, Vec<std::int32_t, N> b) {
#if defined(__AVX512VNNI__)
  if constexpr (N == 16) {
#if defined(__clang__)
    return __builtin_ia32_vpdpbusd512(acc, a, b);
#else
    return __builtin_ia32_vpdpbusd_v16si(acc, a, b);
#endif
  }
#endif
#if (defined(__AVX512VNNI__) && defined(__AVX512VL__)) || defined(__AVXVNNI__)
  if constexpr (N == 8) {
#if defined(__clang__)
    return __builtin_ia32_vpdpbusd256(acc, a, b);
#else
    return __builtin_ia32_vpdpbusd_v8si(acc, a, b);
#endif
  }
#endif
#if defined(__ARM_FEATURE_DOTPROD)
  if constexpr (N == 4) return (Vec<std::int32_t, 4>)vdotq_s32((int32x4_t)acc, (int8x16_t)a, (int8x16_t)b);
#endif
  STRATA_UNROLL
  for (int shift = 0; shift < 32; shift += 8) acc += ((a >> shift) & 0xff) * ((b << (24 - shift)) >> 24);
  return acc;
}

}  // namespace strata::tensor::arch
