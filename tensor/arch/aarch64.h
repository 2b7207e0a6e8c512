// SPDX-License-Identifier: Apache-2.0
// What 64-bit Arm has beyond the portable forms. Included by vec.h only, after Vec is declared.
#pragma once

#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#include <arm_neon.h>
#endif

namespace strata::tensor::arch {

// Of a vector's bytes in one register, and how inline assembly names it.
#define STRATA_VECTOR_REGISTER "+w"
inline constexpr int kRegisterBytes = 16;

// fcvtl and fcvtn, four lanes at a time, are in the baseline.
template <int N>
inline constexpr bool kHasF16 = true;
template <int N>
STRATA_INLINE Vec<float, N> f16_to_f32(Vec<std::uint16_t, N> h) {
  return convert<float, N>(__builtin_bit_cast(Vec<__fp16, N>, h));
}
template <int N>
STRATA_INLINE Vec<std::uint16_t, N> f32_to_f16(Vec<float, N> x) {
  return __builtin_bit_cast(Vec<std::uint16_t, N>, convert<__fp16, N>(x));
}

// acc[i] + a[i].lo * b[i].lo + a[i].hi * b[i].hi, bf16 pairs in each 32-bit lane, accumulated in f32. Without extended
// bf16 arithmetic (FEAT_EBF16) the instruction rounds to odd and takes subnormal numbers for zero.
#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
template <int N>
inline constexpr bool kHasBf16Dot = N == 4;
template <int N>
STRATA_INLINE Vec<float, N> bf16_dot(Vec<float, N> acc, Vec<std::uint32_t, N> a, Vec<std::uint32_t, N> b) {
  return vbfdotq_f32(acc, __builtin_bit_cast(bfloat16x8_t, a), __builtin_bit_cast(bfloat16x8_t, b));
}
#else
template <int N>
inline constexpr bool kHasBf16Dot = false;
template <int N>
Vec<float, N> bf16_dot(Vec<float, N> acc, Vec<std::uint32_t, N> a, Vec<std::uint32_t, N> b);
#endif

// Byte i of the result is table[indices[i]], the indices being below 16.
#define STRATA_HAS_BYTE_LOOKUP 1
template <int N>
inline constexpr bool kHasByteLookup = N == 16;
template <int N>
STRATA_INLINE Vec<std::uint8_t, N> look_up(Vec<std::uint8_t, N> table, Vec<std::uint8_t, N> indices) {
#if defined(__clang__)
  constexpr int kUnsignedBytes = 48;
  using Chars = Vec<signed char, N>;
  return (Vec<std::uint8_t, N>)__builtin_neon_vqtbl1q_v((Chars)table, (Chars)indices, kUnsignedBytes);
#else
  return __builtin_aarch64_qtbl1v16qi_uuu(table, indices);
#endif
}

// `yield` does nothing on most cores; this drains the pipeline.
STRATA_INLINE void pause() { __asm__ volatile("isb" ::: "memory"); }

}  // namespace strata::tensor::arch
