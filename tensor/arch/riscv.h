// SPDX-License-Identifier: Apache-2.0
// What RISC-V has beyond the portable forms. Included by vec.h only, after Vec is declared.
#pragma once

namespace strata::tensor::arch {

// Conversions of halves are an extension of their own, which vectors 1.0 do not include: the portable form is vector
// code too.
template <int N>
inline constexpr bool kHasF16 = false;
template <int N>
Vec<float, N> f16_to_f32(Vec<std::uint16_t, N> h);
template <int N>
Vec<std::uint16_t, N> f32_to_f16(Vec<float, N> x);

template <int N>
inline constexpr bool kHasBf16Dot = false;
template <int N>
Vec<float, N> bf16_dot(Vec<float, N> acc, Vec<std::uint32_t, N> a, Vec<std::uint32_t, N> b);

// The instruction `pause` by its code: a hint, so cores and assemblers that don't know it take it too.
STRATA_INLINE void pause() { __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" ::: "memory"); }

}  // namespace strata::tensor::arch
