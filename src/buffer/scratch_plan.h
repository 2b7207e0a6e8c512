// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "schedule/tile_tree.h"

namespace strata::buffer {

// Where the buffers of a tile tree lie in the scratch memory of a thread.
struct ScratchPlan {
  std::map<std::string, std::int64_t> offsets;  // bytes, by the buffer's name
  std::int64_t bytes = 0;                       // up to the end of those that are there at once; 0: there are none
};

// A buffer lies above those that are there already where it stands, the first ones at `begin`.
ScratchPlan plan_scratch(const schedule::TileTree& tree, std::int64_t begin = 0);

}  // namespace strata::buffer
