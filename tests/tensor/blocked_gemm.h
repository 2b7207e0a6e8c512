// SPDX-License-Identifier: Apache-2.0
// A whole matmul out of blocks, as a tile tree makes it.
#pragma once

#include "tensor/matmul.h"

namespace strata::tensor {

struct Blocks {
  std::int64_t rows = 264;
  std::int64_t depth = 512;
};

// f(rows, depth) for every block; blocks of k begin at whole groups of every encoding.
template <int MR, class F>
void for_each_block(std::int64_t m, std::int64_t k, Blocks blocks, F&& f) {
  for (const Range rows : Parts({0, m}, blocks.rows, MR)) {
    for (const Range depth : Parts({0, k}, blocks.depth, 32)) f(rows, depth);
  }
}

}  // namespace strata::tensor
