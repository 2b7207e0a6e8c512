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

template <int N>
inline constexpr bool kHasMasks = false;
template <int N, int Size>
void load_first(void* out, const void* p, int used);
template <int N, int Size>
void store_first(void* p, const void* all, int used);

STRATA_INLINE void pause() {}

}  // namespace strata::tensor::arch
