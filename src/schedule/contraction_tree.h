// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cost/tiled_product.h"
#include "machine/machine.h"
#include "schedule/schedule.h"

namespace strata::schedule {

// The tiles that a contraction's default tree has: those that are predicted to be the fastest. Of a leaf that takes no
// blocks, none that matter.
cost::ProductTiles predicted_tiles(const ScheduledOp& op, const machine::Machine& machine);

// The leaf of a contraction in these tiles.
TileNode product_leaf(const ScheduledOp& op, const cost::Leaf& leaf, const machine::Machine& machine,
                      const cost::ProductTiles& tiles);

// A leaf behind the buffers that it works in, where it meets so many steps of each iterator at most.
std::vector<TileNode> with_scratch(const ScheduledOp& op, const machine::Machine& machine, TileNode compute,
                                   std::span<const std::int64_t> extents);

// A contraction's tree in these tiles.
TileTree contraction_tree(const ScheduledOp& op, const machine::Machine& machine, const cost::ProductTiles& tiles);

}  // namespace strata::schedule
