// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/json.h"
#include "import/families.h"
#include "import/rope.h"

namespace strata::importer {

struct HeadGeometry {
  std::int64_t head_dim;
  std::int64_t max_positions;
};

// What config.json says of rotary embedding: rope_theta and rope_scaling, or rope_parameters. The first one is of all
// layers, or where the family has two of those without a window; the second one is then that of the others. Throws
// model_error for what is malformed, or not supported.
std::vector<Rope> read_ropes(const JsonObject& config, const Family& family, const HeadGeometry& geometry);

}  // namespace strata::importer
