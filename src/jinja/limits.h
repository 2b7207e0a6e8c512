// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace strata::jinja {

// What one rendering may use. Templates come from model files, so none of it can be left to trust. With these numbers
// any template ends, or is refused, within about a second and 64 MiB.
struct RenderLimits {
  std::int64_t max_steps = 20'000'000;         // evaluated nodes, items, and bytes by what they cost (Runtime)
  std::size_t max_memory_bytes = 40ull << 20;  // held at one time; an operation may need some more for a moment
  std::size_t max_output_bytes = 8ull << 20;   // the result, and any single string on the way
  int max_depth = 500;                         // nested evaluations: expressions, blocks, macro calls, data
  std::int64_t max_range = 100'000;            // items of one range()
};

}  // namespace strata::jinja
