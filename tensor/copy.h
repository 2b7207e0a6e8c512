// SPDX-License-Identifier: Apache-2.0
// Copies between memory and a buffer, where code and not a cache decides what is near: a box of places of a tensor, of
// which each axis lies as far apart as its tensor says. On a machine without such memory the buffer is memory as all
// else, and a copy is what a processor's copy engine would be told.
#pragma once

#include <cstdint>

#include "tensor/vec.h"

namespace strata::tensor {

// So many places, and elements from one to the next on both sides.
struct CopyAxis {
  std::int64_t count, from, to;
};

// Places of `run` elements, along the axes from `axis` on, the outermost first. Neighbours on both sides are one run.
template <class T, int N>
void copy_box(const T* from, T* to, const CopyAxis (&axes)[N], std::int64_t run, int axis = 0) {
  if (axis == N) {
    __builtin_memcpy(to, from, static_cast<std::size_t>(run) * sizeof(T));
    return;
  }
  const CopyAxis& along = axes[axis];
  if (axis == N - 1 && along.from == run && along.to == run) {
    if (along.count > 0) __builtin_memcpy(to, from, static_cast<std::size_t>(along.count * run) * sizeof(T));
    return;
  }
  for (std::int64_t i = 0; i < along.count; ++i)
    copy_box(from + i * along.from, to + i * along.to, axes, run, axis + 1);
}

// The places that the indices from `first` to `last` lie in, `unit` of them in each; of no index none: a thread without
// a share copies nothing.
constexpr std::int64_t places(std::int64_t first, std::int64_t last, std::int64_t unit) {
  return last < first ? 0 : last / unit - first / unit + 1;
}

// Where a tensor would begin of which a buffer has the elements from that one on.
template <class T>
STRATA_INLINE T* as_whole(T* buffer, std::int64_t skipped) {
  return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(buffer) -
                              static_cast<std::uintptr_t>(skipped) * sizeof(T));
}

}  // namespace strata::tensor
