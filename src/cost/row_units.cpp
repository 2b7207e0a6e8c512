// SPDX-License-Identifier: Apache-2.0
#include "cost/row_units.h"

#include "cost/op_cost.h"
#include "machine/cost.h"

namespace strata::cost {

bool shares_rows(const machine::Machine& machine) {
  return !machine.has_whole_rows && machine::managed_level(machine) == nullptr;
}

std::vector<std::int64_t> row_units(std::int64_t rows, std::int64_t tile, std::int64_t least, double groups,
                                    int threads) {
  std::vector<std::int64_t> found;
  const std::int64_t tiles = (rows + tile - 1) / tile;
  for (const std::int64_t parts : split_candidates(groups, threads)) {
    const std::int64_t unit = (tiles + parts - 1) / parts * tile;
    const bool is_new = found.empty() || unit < found.back();
    if (unit < rows && unit >= least && is_new) found.push_back(unit);
  }
  return found;
}

}  // namespace strata::cost
