// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tensor/gather.h"
#include "tensor/group.h"

namespace strata::tensor {

// out[i] = table[ids[i]] of a table in parts of so many rows, of which `table` is the rank's; zeros where another rank
// has the row.
template <int L, class T, class Id>
void rank_gather(const Team& team, int mesh, const T* table, std::int64_t rows, const Id* ids, std::int64_t count,
                 std::int64_t columns, float* out) {
  const std::int64_t first = team.group->coordinate(team.group->self, mesh) * rows;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = static_cast<std::int64_t>(ids[i]) - first;
    float* const to = out + i * columns;
    if (row >= 0 && row < rows) {
      gather_rows<L>(table, &row, 1, columns, to, columns);
    } else {
      for (std::int64_t j = 0; j < columns; ++j) to[j] = 0;
    }
  }
}

}  // namespace strata::tensor
