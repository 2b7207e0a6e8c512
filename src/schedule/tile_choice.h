// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cost/tiled_product.h"
#include "machine/machine.h"
#include "schedule/schedule.h"

namespace strata::schedule {

// The sizes in the tree of a product in register tiles, or of a region with such products.
struct TileChoice {
  std::vector<cost::ProductTiles> products;  // of each part that is a product, in order
  std::int64_t columns = 0;                  // of a region: that are finished before the next ones are begun
  std::int64_t rows = 0;                     // of a unit that threads share; 0: they share columns alone

  bool operator==(const TileChoice&) const = default;
};

// "4x78x1024", panels, rows and depth; of a region also its columns: "4x78x1024@640"; with the rows of a unit behind
// them: "4x78x1024/132".
std::string to_text(const TileChoice& choice);

// Whether the op's tree has sizes to choose. One row is streamed: it has none.
bool has_tile_choice(const ScheduledOp& op);

// The choice that an op's default tree was made of.
TileChoice predicted_choice(const ScheduledOp& op, const machine::Machine& machine);

// The op with the tree of a choice, without barriers. `leaving`: values of a region's parts that others read.
ScheduledOp with_tiles(const ScheduledOp& op, const machine::Machine& machine,
                       const std::vector<const ir::Expr*>& leaving, const TileChoice& choice);

// predicted_choice(), and the next best ones by the predicted time of the op with these sizes by a team of `threads`;
// up to `count` altogether. Each differs from all before it by a quarter or more in one of its sizes, half of them at
// most in their columns alone, and is a tree that the verifier takes.
std::vector<TileChoice> best_choices(const ScheduledOp& op, const machine::Machine& machine,
                                     const std::vector<const ir::Expr*>& leaving, const cost::Sizes& sizes, int threads,
                                     std::size_t count);

}  // namespace strata::schedule
