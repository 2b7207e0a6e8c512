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

// A contraction's tree in these tiles. With `unit_rows` threads share units of so many rows and one group of panels:
//
//   parallel n by 64 {
//     parallel m by 132 {
//       serial m by 66 {
//         serial k by 1024 in L2 {
//           leaf tile panels 4
//         }
//       }
//     }
//   }
TileTree contraction_tree(const ScheduledOp& op, const machine::Machine& machine, const cost::ProductTiles& tiles,
                          std::int64_t unit_rows = 0);

// The rows of the units in which threads share an op's products; 0: they share columns alone, or nothing.
std::int64_t unit_rows(const ScheduledOp& op);

// `share`, what a thread has of a group of columns; shared by rows too, in units of so many of them. 0: by columns
// alone.
TileNode shared_columns(int n, std::int64_t columns, int m, std::int64_t unit_rows, std::vector<TileNode> share);

}  // namespace strata::schedule
