// SPDX-License-Identifier: Apache-2.0
// Instructions of x86 that the vector extensions cannot express. Included by vec.h only, after Vec is declared.
// The compilers' builtins are called directly: <immintrin.h> would add 0.17 s (clang 19) to every generated unit.
#pragma once

namespace strata::tensor::arch {

#if defined(__AVX512F__)
inline constexpr bool kAvx512 = true;
#else
inline constexpr bool kAvx512 = false;
#endif

// Of a vector's bytes in one register, and how inline assembly names it.
#define STRATA_VECTOR_REGISTER "+x"
#if defined(__AVX512F__)
inline constexpr int kRegisterBytes = 64;
#elif defined(__AVX__)
inline constexpr int kRegisterBytes = 32;
#else
inline constexpr int kRegisterBytes = 16;
#endif

#if defined(__F16C__)
// Whether N lanes of f16 <-> f32 are one instruction.
template <int N>
inline constexpr bool kHasF16 = N == 1 || N == 4 || N == 8 || (N == 16 && kAvx512);

template <int N>
STRATA_INLINE Vec<float, N> f16_to_f32(Vec<std::uint16_t, N> h) {
  using Half = Vec < short, N<8 ? 8 : N>;
  Half wide{};
  __builtin_memcpy(&wide, &h, sizeof(h));
  if constexpr (N == 1) {
    return __builtin_ia32_vcvtph2ps(wide)[0];
  } else if constexpr (N == 4) {
    return __builtin_ia32_vcvtph2ps(wide);
  } else if constexpr (N == 8) {
    return __builtin_ia32_vcvtph2ps256(wide);
#if defined(__AVX512F__)
  } else {
    constexpr int kCurrentDirection = 4;
    return __builtin_ia32_vcvtph2ps512_mask(wide, Vec<float, 16>{}, static_cast<short>(-1), kCurrentDirection);
#endif
  }
}

template <int N>
STRATA_INLINE Vec<std::uint16_t, N> f32_to_f16(Vec<float, N> x) {
  constexpr int kNearestEven = 0;
  using Out = Vec<std::uint16_t, N>;
  Out out;
  if constexpr (N == 1) {
    const auto half = __builtin_ia32_vcvtps2ph(Vec<float, 4>{x}, kNearestEven);
    __builtin_memcpy(&out, &half, sizeof(out));
  } else if constexpr (N == 4) {
    const auto half = __builtin_ia32_vcvtps2ph(x, kNearestEven);
    __builtin_memcpy(&out, &half, sizeof(out));
  } else if constexpr (N == 8) {
    out = (Out)__builtin_ia32_vcvtps2ph256(x, kNearestEven);
#if defined(__AVX512F__)
  } else {
    out = (Out)__builtin_ia32_vcvtps2ph512_mask(x, kNearestEven, Vec<short, 16>{}, static_cast<short>(-1));
#endif
  }
  return out;
}
#else
template <int N>
inline constexpr bool kHasF16 = false;
template <int N>
Vec<float, N> f16_to_f32(Vec<std::uint16_t, N> h);
template <int N>
Vec<std::uint16_t, N> f32_to_f16(Vec<float, N> x);
#endif

// acc[i] + a[i].lo * b[i].lo + a[i].hi * b[i].hi, bf16 pairs in each 32-bit lane, accumulated in f32.
#if defined(__AVX512BF16__) && defined(__AVX512VL__)
template <int N>
inline constexpr bool kHasBf16Dot = N == 4 || N == 8 || N == 16;

template <int N>
STRATA_INLINE Vec<float, N> bf16_dot(Vec<float, N> acc, Vec<std::uint32_t, N> a, Vec<std::uint32_t, N> b) {
#if defined(__clang__)
  using Pairs = Vec<__bf16, 2 * N>;
  if constexpr (N == 16) {
    return __builtin_ia32_dpbf16ps_512(acc, (Pairs)a, (Pairs)b);
  } else if constexpr (N == 8) {
    return __builtin_ia32_dpbf16ps_256(acc, (Pairs)a, (Pairs)b);
  } else {
    return __builtin_ia32_dpbf16ps_128(acc, (Pairs)a, (Pairs)b);
  }
#else
  using Pairs = Vec<short, 2 * N>;
  if constexpr (N == 16) {
    return __builtin_ia32_dpbf16ps_v16sf(acc, (Pairs)a, (Pairs)b);
  } else if constexpr (N == 8) {
    return __builtin_ia32_dpbf16ps_v8sf(acc, (Pairs)a, (Pairs)b);
  } else {
    return __builtin_ia32_dpbf16ps_v4sf(acc, (Pairs)a, (Pairs)b);
  }
#endif
}

// N floats as bf16, to nearest even; subnormal numbers may become zeros, which the unit above makes of them anyway.
#define STRATA_HAS_BF16_ROUNDING 1
template <int N>
inline constexpr bool kHasBf16Rounding = N == 16;

template <int N>
STRATA_INLINE auto f32_to_bf16(Vec<float, N> x) {
  static_assert(N == 16);
#if defined(__clang__)
  return __builtin_convertvector(x, Vec<__bf16, N>);
#else
  return __builtin_ia32_cvtneps2bf16_v16sf(x);
#endif
}
#else
template <int N>
inline constexpr bool kHasBf16Dot = false;
template <int N>
Vec<float, N> bf16_dot(Vec<float, N> acc, Vec<std::uint32_t, N> a, Vec<std::uint32_t, N> b);
#endif

// The first `used` of N elements of Size bytes, moved by a mask: into `out`, whose others become zeros, or out of
// `all`.
#if defined(__AVX512BW__) && defined(__AVX512VL__)
#define STRATA_HAS_MASKS 1
template <int N>
inline constexpr bool kHasMasks = N == 8 || N == 16;

// A pointer as each compiler declares its builtin.
struct AnyPointer {
  void* data;
  template <class T>
  STRATA_INLINE operator T*() const {
    return static_cast<T*>(data);
  }
};

template <int N, int Size>
STRATA_INLINE void load_first(void* out, const void* p, int used) {
  const AnyPointer from{const_cast<void*>(p)};
  const unsigned bits = (1u << used) - 1;
  const auto keep = [&](auto v) { __builtin_memcpy(out, &v, sizeof(v)); };
  if constexpr (Size == 4 && N == 16) {
    keep(__builtin_ia32_loadups512_mask(from, Vec<float, 16>{}, static_cast<std::uint16_t>(bits)));
  } else if constexpr (Size == 4) {
    keep(__builtin_ia32_loadups256_mask(from, Vec<float, 8>{}, static_cast<std::uint8_t>(bits)));
  } else if constexpr (N == 16) {
    keep(__builtin_ia32_loaddquhi256_mask(from, Vec<short, 16>{}, static_cast<std::uint16_t>(bits)));
  } else {
    keep(__builtin_ia32_loaddquhi128_mask(from, Vec<short, 8>{}, static_cast<std::uint8_t>(bits)));
  }
}

template <int N, int Size>
STRATA_INLINE void store_first(void* p, const void* all, int used) {
  const AnyPointer to{p};
  const unsigned bits = (1u << used) - 1;
  const auto vector = [&]<class T>(T) {
    Vec<T, N> v;
    __builtin_memcpy(&v, all, sizeof(v));
    return v;
  };
  if constexpr (Size == 4 && N == 16) {
    __builtin_ia32_storeups512_mask(to, vector(0.0f), static_cast<std::uint16_t>(bits));
  } else if constexpr (Size == 4) {
    __builtin_ia32_storeups256_mask(to, vector(0.0f), static_cast<std::uint8_t>(bits));
  } else if constexpr (N == 16) {
    __builtin_ia32_storedquhi256_mask(to, vector(short{}), static_cast<std::uint16_t>(bits));
  } else {
    __builtin_ia32_storedquhi128_mask(to, vector(short{}), static_cast<std::uint8_t>(bits));
  }
}
#endif

// Byte i of the result is that of the 16 around table[i] whose number indices[i], below 16, says.
#if defined(__SSSE3__)
#define STRATA_HAS_BYTE_LOOKUP 1
#if defined(__AVX512BW__)
inline constexpr int kLookUpBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kLookUpBytes = 32;
#else
inline constexpr int kLookUpBytes = 16;
#endif
template <int N>
inline constexpr bool kHasByteLookup = N >= 16 && N <= kLookUpBytes;

template <int N>
STRATA_INLINE Vec<std::uint8_t, N> look_up(Vec<std::uint8_t, N> table, Vec<std::uint8_t, N> indices) {
  using Chars = Vec<char, N>;
  if constexpr (N == 16) {
    return (Vec<std::uint8_t, N>)__builtin_ia32_pshufb128((Chars)table, (Chars)indices);
#if defined(__AVX2__)
  } else if constexpr (N == 32) {
    return (Vec<std::uint8_t, N>)__builtin_ia32_pshufb256((Chars)table, (Chars)indices);
#endif
#if defined(__AVX512BW__) && defined(__clang__)
  } else {
    return (Vec<std::uint8_t, N>)__builtin_ia32_pshufb512((Chars)table, (Chars)indices);
#elif defined(__AVX512BW__)
  } else {
    return (Vec<std::uint8_t, N>)__builtin_ia32_pshufb512_mask((Chars)table, (Chars)indices, Chars{}, ~0ull);
#endif
  }
}
#endif

STRATA_INLINE void pause() { __builtin_ia32_pause(); }

}  // namespace strata::tensor::arch
