// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cost/tiled_product.h"
#include "schedule/schedule.h"

namespace strata::schedule {

// The default tree on a machine with a memory level that software manages: the loops of the ordinary one, cut into
// tiles, with copies of what a tile touches into buffers and of what it makes out of them.
//
//   parallel n by 16 {
//     serial n by 256 {
//       serial m by 96 {
//         buffer out: f32[24576] in scratchpad
//         serial k by 256 {
//           buffer in0: f32[24576] in scratchpad
//           copy operand 0[m, k] into in0
//           buffer in1: f32[65536] in scratchpad
//           copy operand 1[n, k] into in1
//           leaf tile panels 2 ahead 4096 locality 2 into out
//         }
//         copy out into result[m, n]
//       }
//     }
//   }
//
// A copy stands in the innermost loop that moves what it copies. The tiles are those that the copies are predicted to
// take the least time with, of a product those of cost::product_tiles, and all buffers that are there at once fit the
// level. Throws Error (usage) naming an op of which the smallest tiles don't.
TileTree tree_with_copies(const ScheduledOp& op, const machine::Machine& machine,
                          const std::vector<const ir::Expr*>& leaving);

// The same of a contraction in these tiles.
TileTree contraction_with_copies(const ScheduledOp& op, const machine::Machine& machine,
                                 const cost::ProductTiles& tiles);

// The ordinary tree of an op's own loops, or of a region's.
TileTree own_loops_tree(const ScheduledOp& op, const machine::Machine& machine,
                        const std::vector<const ir::Expr*>& leaving);

}  // namespace strata::schedule
