// SPDX-License-Identifier: Apache-2.0
// Lanes, vectors of lanes, and the storage types f16 and bf16. Arithmetic is always on float lanes; 16-bit and integer
// types are converted by load() and store(). One lane is a plain scalar, so that one generic lambda serves both the
// vector body and the scalar tail of a loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#define STRATA_INLINE inline __attribute__((always_inline))
#define STRATA_INLINE_LAMBDA __attribute__((always_inline))  // behind its parameters
#define STRATA_NOINLINE __attribute__((noinline))
#if defined(__clang__)
#define STRATA_UNROLL _Pragma("clang loop unroll(full)")
#define STRATA_KEEP_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define STRATA_UNROLL _Pragma("GCC unroll 64")
#define STRATA_KEEP_ROLLED
#endif
// Vectors wider than the machine's registers never cross an ABI border here: everything that takes one is inlined.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace strata::tensor {

template <class T, int N>
struct VecOf {
  static_assert((N & (N - 1)) == 0, "compilers round the size of other vectors up, so that stores write too much");
  typedef T type __attribute__((vector_size(N * sizeof(T))));
};
template <class T>
struct VecOf<T, 1> {
  using type = T;
};
// N lanes of T: a vector of the compilers' vector extension, or T itself for one lane.
template <class T, int N>
using Vec = typename VecOf<T, N>::type;

// Tag that carries a lane count into a generic lambda.
template <int N>
struct Lanes {
  static constexpr int count = N;
};

// The first `used` of N lanes, 1 to N - 1: the end of a range that N doesn't divide. The others are read as zeros and
// not written. Where the machine has masks (kHasMasks) only; not a Lanes<N>, so that nothing takes it for a whole
// vector.
template <int N>
struct FirstLanes {
  static constexpr int count = N;
  int used;
};

// Lanes of a float vector type or of float.
template <class V>
inline constexpr int kLanesOf = static_cast<int>(sizeof(V) / sizeof(float));

template <class V>
using IntsOf = Vec<std::int32_t, kLanesOf<V>>;

template <class To, class From>
STRATA_INLINE To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  return __builtin_bit_cast(To, from);
}

// Lane-wise value conversion, e.g. convert<float, 8>(eight int32 lanes).
template <class To, int N, class From>
STRATA_INLINE Vec<To, N> convert(From from) {
  if constexpr (N == 1) {
    return static_cast<To>(from);
  } else {
    return __builtin_convertvector(from, Vec<To, N>);
  }
}

// mask ? a : b in every lane; the mask is the result of a comparison of V.
template <class M, class V>
STRATA_INLINE V select(M mask, V a, V b) {
  return mask ? a : b;
}

// Subtracting zero changes no value, so it costs nothing; adding it would turn -0 into 0, and cost an addition.
template <class V>
STRATA_INLINE V broadcast(float x) {
  return x - V{};
}

template <int N>
STRATA_INLINE Vec<float, N> splat(Lanes<N>, float x) {
  return broadcast<Vec<float, N>>(x);
}

template <int N>
STRATA_INLINE Vec<float, N> splat(FirstLanes<N>, float x) {
  return broadcast<Vec<float, N>>(x);
}

// Lanes as they lie in memory; p need only be aligned to T.
template <int N, class T>
STRATA_INLINE Vec<T, N> load_raw(Lanes<N>, const T* p) {
  Vec<T, N> v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

template <int N, class T>
STRATA_INLINE void store_raw(Lanes<N>, T* p, Vec<T, N> v) {
  __builtin_memcpy(p, &v, sizeof(v));
}

}  // namespace strata::tensor

#if defined(__x86_64__)
#include "tensor/arch/x86.h"
#elif defined(__aarch64__)
#include "tensor/arch/aarch64.h"
#elif defined(__riscv)
#include "tensor/arch/riscv.h"
#else
#include "tensor/arch/portable.h"
#endif

#if !defined(STRATA_HAS_BYTE_LOOKUP)
namespace strata::tensor::arch {
template <int N>
inline constexpr bool kHasByteLookup = false;
template <int N>
Vec<std::uint8_t, N> look_up(Vec<std::uint8_t, N> table, Vec<std::uint8_t, N> indices);
}  // namespace strata::tensor::arch
#endif
#if !defined(STRATA_HAS_BF16_ROUNDING)
namespace strata::tensor::arch {
template <int N>
inline constexpr bool kHasBf16Rounding = false;
template <int N>
Vec<std::uint16_t, N> f32_to_bf16(Vec<float, N> x);
}  // namespace strata::tensor::arch
#endif
#if !defined(STRATA_HAS_MASKS)
namespace strata::tensor::arch {
template <int N>
inline constexpr bool kHasMasks = false;
template <int N, int Size>
void load_first(void* out, const void* p, int used);
template <int N, int Size>
void store_first(void* p, const void* all, int used);
}  // namespace strata::tensor::arch
#endif

namespace strata::tensor {

template <int N>
STRATA_INLINE Vec<float, N> bf16_to_f32(Vec<std::uint16_t, N> h) {
  return bit_cast<Vec<float, N>>(convert<std::uint32_t, N>(h) << 16);
}

// The upper half of each word is x as bf16, rounded to nearest even; NaN stays NaN. The lower half means nothing.
template <int N>
STRATA_INLINE Vec<std::uint32_t, N> round_to_bf16(Vec<float, N> x) {
  using U = Vec<std::uint32_t, N>;
  const U bits = bit_cast<U>(x);
  const U rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return select(x != x, bits | 0x400000u, rounded);
}

template <int N>
STRATA_INLINE Vec<std::uint16_t, N> f32_to_bf16(Vec<float, N> x) {
  return convert<std::uint16_t, N>(round_to_bf16<N>(x) >> 16);
}

template <int N>
STRATA_INLINE Vec<float, N> f16_to_f32(Vec<std::uint16_t, N> h) {
  if constexpr (arch::kHasF16<N>) {
    return arch::f16_to_f32<N>(h);
  } else {
    using U = Vec<std::uint32_t, N>;
    using F = Vec<float, N>;
    const U wide = convert<std::uint32_t, N>(h);
    const U magnitude = (wide & 0x7fffu) << 13;
    // The exponent's bias differs by 112; the product is exact, subnormal halves included.
    const U finite = bit_cast<U>(bit_cast<F>(magnitude) * 0x1p112f);
    const U special = magnitude | 0x7f800000u;
    return bit_cast<F>(select(magnitude >= 0x0f800000u, special, finite) | ((wide & 0x8000u) << 16));
  }
}

// Round to nearest even, overflow to infinity; NaN stays NaN.
template <int N>
STRATA_INLINE Vec<std::uint16_t, N> f32_to_f16(Vec<float, N> x) {
  if constexpr (arch::kHasF16<N>) {
    return arch::f32_to_f16<N>(x);
  } else {
    using U = Vec<std::uint32_t, N>;
    using F = Vec<float, N>;
    const U bits = bit_cast<U>(x);
    const U magnitude = bits & 0x7fffffffu;
    const U normal = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    // Adding 0.5 rounds to multiples of 2^-24, the spacing of subnormal halves.
    const U subnormal = bit_cast<U>(bit_cast<F>(magnitude) + 0.5f) - 0x3f000000u;
    U half = select(magnitude < 0x38800000u, subnormal, normal);
    half = select(magnitude >= 0x47800000u, U{} + 0x7c00u, half);
    half = select(magnitude > 0x7f800000u, U{} + 0x7e00u, half);
    return convert<std::uint16_t, N>(half | ((bits >> 16) & 0x8000u));
  }
}

struct bf16 {
  std::uint16_t bits;
  bf16() = default;
  explicit bf16(float x) : bits(f32_to_bf16<1>(x)) {}
  explicit operator float() const { return bf16_to_f32<1>(bits); }
};

struct f16 {
  std::uint16_t bits;
  f16() = default;
  explicit f16(float x) : bits(f32_to_f16<1>(x)) {}
  explicit operator float() const { return f16_to_f32<1>(bits); }
};

// N consecutive elements of f32, f16, bf16, bool or an integer type as float lanes.
template <int N, class T>
STRATA_INLINE Vec<float, N> load(Lanes<N> lanes, const T* p) {
  return convert<float, N>(load_raw(lanes, p));
}
template <int N>
STRATA_INLINE Vec<float, N> load(Lanes<N> lanes, const float* p) {
  return load_raw(lanes, p);
}
template <int N>
STRATA_INLINE Vec<float, N> load(Lanes<N> lanes, const f16* p) {
  return f16_to_f32<N>(load_raw(lanes, reinterpret_cast<const std::uint16_t*>(p)));
}
template <int N>
STRATA_INLINE Vec<float, N> load(Lanes<N> lanes, const bf16* p) {
  return bf16_to_f32<N>(load_raw(lanes, reinterpret_cast<const std::uint16_t*>(p)));
}
template <int N>
STRATA_INLINE Vec<float, N> load(Lanes<N> lanes, const bool* p) {
  return load(lanes, reinterpret_cast<const std::uint8_t*>(p));
}

// Lanes from p, p + stride, p + 2 * stride, ...
template <int N, class T>
STRATA_INLINE Vec<float, N> load_strided(Lanes<N> lanes, const T* p, std::int64_t stride) {
  if constexpr (N == 1) {
    return load(lanes, p);
  } else {
    Vec<float, N> v{};
    STRATA_UNROLL
    for (int i = 0; i < N; ++i) v[i] = load(Lanes<1>{}, p + i * stride);
    return v;
  }
}

// Stores float lanes as N consecutive elements: f16 and bf16 round to nearest even, integers truncate towards zero and
// must be in range, bool is x != 0.
template <int N, class T>
STRATA_INLINE void store(Lanes<N> lanes, T* p, Vec<float, N> v) {
  store_raw(lanes, p, convert<T, N>(v));
}
template <int N>
STRATA_INLINE void store(Lanes<N> lanes, float* p, Vec<float, N> v) {
  store_raw(lanes, p, v);
}
template <int N>
STRATA_INLINE void store(Lanes<N> lanes, f16* p, Vec<float, N> v) {
  store_raw(lanes, reinterpret_cast<std::uint16_t*>(p), f32_to_f16<N>(v));
}
template <int N>
STRATA_INLINE void store(Lanes<N> lanes, bf16* p, Vec<float, N> v) {
  store_raw(lanes, reinterpret_cast<std::uint16_t*>(p), f32_to_bf16<N>(v));
}
template <int N>
STRATA_INLINE void store(Lanes<N>, bool* p, Vec<float, N> v) {
  if constexpr (N == 1) {
    *p = v != 0.0f;
  } else {
    STRATA_UNROLL
    for (int i = 0; i < N; ++i) p[i] = v[i] != 0.0f;
  }
}

// The same for the first lanes: elements of two and four bytes by masks, others one by one.
template <int N, class T>
STRATA_INLINE Vec<float, N> load(FirstLanes<N> lanes, const T* p) {
  alignas(N * sizeof(T)) T all[N] = {};
  if constexpr (sizeof(T) == 2 || sizeof(T) == 4) {
    arch::load_first<N, sizeof(T)>(all, p, lanes.used);
  } else {
    for (int i = 0; i < lanes.used; ++i) all[i] = p[i];
  }
  return load(Lanes<N>{}, all);
}
template <int N, class T>
STRATA_INLINE Vec<float, N> load_strided(FirstLanes<N> lanes, const T* p, std::int64_t stride) {
  Vec<float, N> v{};
  for (int i = 0; i < lanes.used; ++i) v[i] = load(Lanes<1>{}, p + i * stride);
  return v;
}
template <int N, class T>
STRATA_INLINE void store(FirstLanes<N> lanes, T* p, Vec<float, N> v) {
  alignas(N * sizeof(T)) T all[N];
  store(Lanes<N>{}, all, v);
  if constexpr (sizeof(T) == 2 || sizeof(T) == 4) {
    arch::store_first<N, sizeof(T)>(p, all, lanes.used);
  } else {
    for (int i = 0; i < lanes.used; ++i) p[i] = all[i];
  }
}

// v with `other` in the lanes that aren't used.
template <int N>
STRATA_INLINE Vec<float, N> first_or(FirstLanes<N> lanes, Vec<float, N> v, float other) {
  Vec<std::int32_t, N> number;
  STRATA_UNROLL
  for (int i = 0; i < N; ++i) number[i] = i;
  return select(number < lanes.used, v, splat(lanes, other));
}

// Lane i of a vector, or the scalar itself.
template <class V>
STRATA_INLINE float lane(V v, int i) {
  if constexpr (kLanesOf<V> == 1) {
    return v;
  } else {
    return v[i];
  }
}

// The value as memory would hold it: what follows is not contracted with what made it. In a register where the machine
// has one as wide.
template <class V>
STRATA_INLINE V settled(V value) {
#if defined(STRATA_VECTOR_REGISTER)
  if constexpr (sizeof(V) == 4 || (sizeof(V) >= 16 && sizeof(V) <= arch::kRegisterBytes)) {
    asm("" : STRATA_VECTOR_REGISTER(value));
    return value;
  }
#endif
  asm("" : "+m"(value));
  return value;
}

// The same where memory would hold it as T.
template <class T, class V>
STRATA_INLINE V rounded(V value) {
  constexpr int N = sizeof(V) / sizeof(float);
  if constexpr (std::is_same_v<T, bf16>) {
    return bf16_to_f32<N>(f32_to_bf16<N>(value));
  } else if constexpr (std::is_same_v<T, f16>) {
    return f16_to_f32<N>(f32_to_f16<N>(value));
  } else {
    static_assert(std::is_same_v<T, float>);
    return settled(value);
  }
}

}  // namespace strata::tensor
