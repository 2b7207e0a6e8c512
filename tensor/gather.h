// SPDX-License-Identifier: Apache-2.0
// Rows of an embedding table by token id, as f32 or what else the caller wants. A head tied to the embedding is read
// from its packed panels, so that no second copy of the weights is needed. Ids must lie inside the table.
#pragma once

#include "tensor/loops.h"
#include "tensor/pack.h"

namespace strata::tensor {

// out[i] = table[ids[i]], table row-major [rows][dim], out with leading dimension ldo.
template <int L, class T, class Id, class Out>
STRATA_NOINLINE void gather_rows(const T* table, const Id* ids, std::int64_t count, std::int64_t dim, Out* out,
                                 std::int64_t ldo) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T* row = table + static_cast<std::int64_t>(ids[i]) * dim;
    Out* to = out + i * ldo;
    for_each_lane_group<L>(dim, [&](auto lanes, std::int64_t j) { store(lanes, to + j, load(lanes, row + j)); });
  }
}

// The same from a table packed as the B of a matmul with n = rows and k = dim.
template <int L, BLayout Layout, class T, class Id, class Out>
STRATA_NOINLINE void gather_packed_rows(const T* table, const Id* ids, std::int64_t count, std::int64_t dim, Out* out,
                                        std::int64_t ldo) {
  constexpr int kStep = kStepOf<Layout>;
  for (std::int64_t i = 0; i < count; ++i) {
    const T* from = table + packed_b_index<L, Layout>(static_cast<std::int64_t>(ids[i]), 0, dim);
    Out* to = out + i * ldo;
    std::int64_t j = 0;
    for (; j + kStep <= dim; j += kStep) store(Lanes<kStep>{}, to + j, load(Lanes<kStep>{}, from + j * L));
    for (std::int64_t s = 0; j + s < dim; ++s) to[j + s] = Out(static_cast<float>(from[j * L + s]));
  }
}

}  // namespace strata::tensor
