// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace strata::jinja {

// What one rendering may use. Templates come from model files, so none of it can be left to trust.
struct RenderLimits {
  std::int64_t max_steps = 20'000'000;         // evaluated nodes, list items, and one per 32 bytes of text made
  std::size_t max_output_bytes = 64ull << 20;  // the result, and any single string on the way
  int max_depth = 500;                         // nested evaluations: expressions, blocks, macro calls, data
  std::int64_t max_range = 100'000;            // items of one range()
};

}  // namespace strata::jinja
