// SPDX-License-Identifier: Apache-2.0
// Elementwise loops and reductions over a flat range. The body is a generic lambda called with Lanes<N> for the vector
// part and with Lanes<1> for the remainder; it never sees which machine it runs on.
#pragma once

#include "tensor/math.h"

namespace strata::tensor {

// f(Lanes<N>{}, i) for i = 0, N, 2N, ... and f(Lanes<1>{}, i) for the remainder below N.
template <int N, class F>
STRATA_INLINE void for_each_lane_group(std::int64_t count, F&& f) {
  std::int64_t i = 0;
  for (; i + N <= count; i += N) f(Lanes<N>{}, i);
  if constexpr (N > 1) {
    for (; i < count; ++i) f(Lanes<1>{}, i);
  }
}

// f(Lanes<N>{}, i) for i = 0, N, 2N, ... and for the remainder below N f(FirstLanes<N>, i) once, where the machine has
// masks, or f(Lanes<1>{}, i) for each.
template <int N, class F>
STRATA_INLINE void for_each_vector(std::int64_t count, F&& f) {
  if constexpr (arch::kHasMasks<N>) {
    std::int64_t i = 0;
    for (; i + N <= count; i += N) f(Lanes<N>{}, i);
    if (i < count) f(FirstLanes<N>{static_cast<int>(count - i)}, i);
  } else {
    for_each_lane_group<N>(count, f);
  }
}

struct Sum {
  static constexpr float identity = 0.0f;
  template <class V>
  STRATA_INLINE V operator()(V a, V b) const {
    return a + b;
  }
};
struct Product {
  static constexpr float identity = 1.0f;
  template <class V>
  STRATA_INLINE V operator()(V a, V b) const {
    return a * b;
  }
};
// A NaN among the elements may or may not come through Max and Min.
struct Max {
  static constexpr float identity = -__builtin_inff();
  template <class V>
  STRATA_INLINE V operator()(V a, V b) const {
    return max(a, b);
  }
};
struct Min {
  static constexpr float identity = __builtin_inff();
  template <class V>
  STRATA_INLINE V operator()(V a, V b) const {
    return min(a, b);
  }
};

// All lanes of v combined, pairwise in log2(N) steps.
template <class Combine, class V>
STRATA_INLINE float reduce_lanes(Combine combine, V v) {
  constexpr int n = kLanesOf<V>;
  if constexpr (n == 1) {
    return v;
  } else {
    Vec<float, n / 2> low, high;
    __builtin_memcpy(&low, &v, sizeof(low));
    __builtin_memcpy(&high, reinterpret_cast<const char*>(&v) + sizeof(low), sizeof(high));
    return reduce_lanes(combine, combine(low, high));
  }
}

// combine(init, f(.., 0), f(.., 1), ...) in a fixed order that depends only on N and count. Four accumulators hide the
// latency of the combiner.
template <int N, class Combine, class F>
STRATA_INLINE float reduce(std::int64_t count, float init, Combine combine, F&& f) {
  constexpr Lanes<N> lanes;
  constexpr int kAccumulators = 4;
  Vec<float, N> acc[kAccumulators];
  STRATA_UNROLL
  for (int u = 0; u < kAccumulators; ++u) acc[u] = splat(lanes, Combine::identity);
  std::int64_t i = 0;
  for (; i + kAccumulators * N <= count; i += kAccumulators * N) {
    STRATA_UNROLL
    for (int u = 0; u < kAccumulators; ++u) acc[u] = combine(acc[u], f(lanes, i + u * N));
  }
  for (; i + N <= count; i += N) acc[0] = combine(acc[0], f(lanes, i));
  float tail = init;
  if constexpr (N > 1) {
    for (; i < count; ++i) tail = combine(tail, f(Lanes<1>{}, i));
  }
  return combine(tail, reduce_lanes(combine, combine(combine(acc[0], acc[1]), combine(acc[2], acc[3]))));
}

// The same with f as for_each_vector calls it.
template <int N, class Combine, class F>
STRATA_INLINE float reduce_vectors(std::int64_t count, float init, Combine combine, F&& f) {
  if constexpr (arch::kHasMasks<N>) {
    const std::int64_t whole = count / N * N;
    const float sum = reduce<N>(whole, init, combine, f);
    if (whole == count) return sum;
    const FirstLanes<N> rest{static_cast<int>(count - whole)};
    return combine(sum, reduce_lanes(combine, first_or(rest, f(rest, whole), Combine::identity)));
  } else {
    return reduce<N>(count, init, combine, f);
  }
}

}  // namespace strata::tensor
