// SPDX-License-Identifier: Apache-2.0
// No instruction beyond the vector extensions: every caller takes its portable form.
#pragma once

namespace strata::tensor::arch {

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

STRATA_INLINE void pause() {}

}  // namespace strata::tensor::arch
