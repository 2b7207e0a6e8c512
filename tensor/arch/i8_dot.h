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

// Whether a unit multiplies quads of unsigned bytes by quads of signed ones.
template <int N>
inline constexpr bool kHasUnsignedDot =
#if defined(__AVX512VNNI__)
    N == 16 ||
#endif
#if (defined(__AVX512VNNI__) && defined(__AVX512VL__)) || defined(__AVXVNNI__)
    N == 8 ||
#endif
    false;

// Whether there are instructions for pairs of bytes instead: byte_pairs and what goes with it.
template <int N>
inline constexpr bool kHasBytePairs =
#if defined(__AVX2__)
    N == 8 ||
#endif
#if defined(__SSSE3__)
    N == 4 ||
#endif
    false;

#if defined(__SSSE3__)
template <int N>
using Chars = Vec<char, 4 * N>;

// The products of unsigned bytes of a and signed ones of b, summed by pairs, which must fit 16 bits.
template <int N>
STRATA_INLINE Vec<short, 2 * N> byte_pairs(Vec<std::int32_t, N> a, Vec<std::int32_t, N> b) {
#if defined(__AVX2__)
  if constexpr (N == 8) return __builtin_ia32_pmaddubsw256((Chars<N>)a, (Chars<N>)b);
#endif
  if constexpr (N == 4) return __builtin_ia32_pmaddubsw128((Chars<N>)a, (Chars<N>)b);
}

// a[2i] * b[2i] + a[2i + 1] * b[2i + 1] of words of 16 bits.
template <int N>
STRATA_INLINE Vec<std::int32_t, N> dot_words(Vec<short, 2 * N> a, Vec<short, 2 * N> b) {
#if defined(__AVX2__)
  if constexpr (N == 8) return __builtin_ia32_pmaddwd256(a, b);
#endif
  if constexpr (N == 4) return __builtin_ia32_pmaddwd128(a, b);
}

// acc + the two words of each lane.
template <int N>
STRATA_INLINE Vec<std::int32_t, N> add_pairs(Vec<std::int32_t, N> acc, Vec<short, 2 * N> pairs) {
  return acc + dot_words<N>(pairs, Vec<short, 2 * N>{} + short{1});
}

// The bytes of x, negated where w's is negative and 0 where that is 0; none is -128.
template <int N>
STRATA_INLINE Vec<std::int32_t, N> with_signs(Vec<std::int32_t, N> x, Vec<std::int32_t, N> w) {
#if defined(__AVX2__)
  if constexpr (N == 8) return (Vec<std::int32_t, N>)__builtin_ia32_psignb256((Chars<N>)x, (Chars<N>)w);
#endif
  if constexpr (N == 4) return (Vec<std::int32_t, N>)__builtin_ia32_psignb128((Chars<N>)x, (Chars<N>)w);
}

// The bytes of w without their signs; that of -128 is 128, unsigned.
template <int N>
STRATA_INLINE Vec<std::int32_t, N> magnitudes(Vec<std::int32_t, N> w) {
#if defined(__clang__)
  return (Vec<std::int32_t, N>)__builtin_elementwise_abs((Vec<signed char, 4 * N>)w);
#else
#if defined(__AVX2__)
  if constexpr (N == 8) return (Vec<std::int32_t, N>)__builtin_ia32_pabsb256((Chars<N>)w);
#endif
  if constexpr (N == 4) return (Vec<std::int32_t, N>)__builtin_ia32_pabsb128((Chars<N>)w);
#endif
}
#else
template <int N>
Vec<short, 2 * N> byte_pairs(Vec<std::int32_t, N> a, Vec<std::int32_t, N> b);
template <int N>
Vec<std::int32_t, N> dot_words(Vec<short, 2 * N> a, Vec<short, 2 * N> b);
template <int N>
Vec<std::int32_t, N> add_pairs(Vec<std::int32_t, N> acc, Vec<short, 2 * N> pairs);
template <int N>
Vec<std::int32_t, N> with_signs(Vec<std::int32_t, N> x, Vec<std::int32_t, N> w);
template <int N>
Vec<std::int32_t, N> magnitudes(Vec<std::int32_t, N> w);
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
  if constexpr (kHasBytePairs<N>) {
    // Even and odd bytes as words: all products are exact.
    using Words = Vec<short, 2 * N>;
    const Words evens = (Words)a & short{0xff}, odds = (Words)((Vec<std::uint16_t, 2 * N>)a >> 8);
    acc += dot_words<N>(evens, (Words)b << 8 >> 8);
    return acc + dot_words<N>(odds, (Words)b >> 8);
  } else {
    STRATA_UNROLL
    for (int shift = 0; shift < 32; shift += 8) acc += ((a >> shift) & 0xff) * ((b << (24 - shift)) >> 24);
    return acc;
  }
}

// The same where the bytes of both are signed, and none of x is -128.
template <int N>
STRATA_INLINE Vec<std::int32_t, N> i8_dot_signed(Vec<std::int32_t, N> acc, Vec<std::int32_t, N> x,
                                                 Vec<std::int32_t, N> w) {
  if constexpr (kHasSignedDot<N>) {
    return i8_dot<N>(acc, x, w);
  } else if constexpr (kHasUnsignedDot<N>) {
    const Vec<std::int32_t, N> offset = Vec<std::int32_t, N>{} + int(0x80808080u);
    return i8_dot<N>(acc, x ^ offset, w) - i8_dot<N>(Vec<std::int32_t, N>{}, offset, w);
  } else if constexpr (kHasBytePairs<N>) {
    // A pair is at most 2 * 128 * 127 = 32512.
    return add_pairs<N>(acc, byte_pairs<N>(magnitudes<N>(w), with_signs<N>(x, w)));
  } else {
    STRATA_UNROLL
    for (int shift = 0; shift < 32; shift += 8) acc += ((x << (24 - shift)) >> 24) * ((w << (24 - shift)) >> 24);
    return acc;
  }
}

}  // namespace strata::tensor::arch
