// SPDX-License-Identifier: Apache-2.0
// Two tensors after one another along an axis.
#pragma once

#include <cstdint>

namespace strata::tensor {

// Runs of `a_run` and `b_run` elements in turn, for each of `outer` indices of the axes outside of the joined one.
template <class T>
void concat(const T* a, std::int64_t a_run, const T* b, std::int64_t b_run, std::int64_t outer, T* out) {
  for (std::int64_t i = 0; i < outer; ++i, out += a_run + b_run) {
    __builtin_memcpy(out, a + i * a_run, a_run * sizeof(T));
    __builtin_memcpy(out + a_run, b + i * b_run, b_run * sizeof(T));
  }
}

}  // namespace strata::tensor
