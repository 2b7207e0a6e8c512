// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "schedule/tile_tree.h"

namespace strata::buffer {

// Of a buffer that all threads share, in the function's arena.
struct SharedBuffer {
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
};

// Where the buffers of a tile tree lie in the scratch memory of a thread, and those of all threads.
struct ScratchPlan {
  std::map<std::string, std::int64_t> offsets;  // bytes, by the buffer's name
  std::map<std::string, SharedBuffer> shared = {};
  std::int64_t bytes = 0;  // up to the end of those that are there at once; 0: there are none
};

// A buffer lies above those that are there already where it stands, the first ones at `begin`.
ScratchPlan plan_scratch(const schedule::TileTree& tree, std::int64_t begin = 0);

}  // namespace strata::buffer
