// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "machine/machine.h"
#include "schedule/schedule.h"

namespace strata::schedule {

// The tree of a region with products and maps of their elements. The columns are divided among the threads; a block of
// rows is done in parts of the columns: the products of a part, each as in its own tree, into tiles, and then the maps,
// while the tiles are in a cache.
//
//   parallel n by 64 {
//     serial m by 288 {
//       serial n by 256 {
//         buffer tile0: f32[73728] in L2
//         serial k by 512 in L2 {
//           leaf tile panels 4 for stage 0 into tile0
//         }
//         serial m by 1 {
//           vector n by 16 {
//             stage 1
//           }
//         }
//       }
//     }
//   }
//
// Maps of single elements run so through the columns. Other loops, which need all columns of a head, run through each
// unit of the columns by itself, in loops of their own (schedule/own_loops.h); then the first columns' iterator counts
// such units:
//
//         serial m by 1 {
//           serial h by 1 {
//             buffer tile2: f32[128] in L1
//             vector k by 16 {
//               stage 1
//             }
//             vector k by 16 {
//               stage 2 into tile2
//             }
//             ...
//
// `columns`: steps of a part, in whole groups of panels. With `unit_rows` threads share units of so many rows and one
// group of panels (contraction_tree.h), whose columns are one part. `leaving`: values that others read, which are kept
// in memory. A tree that no region can have, where the products' own trees don't go together, is for the verifier to
// refuse.
TileTree products_tree(const ScheduledOp& region, const machine::Machine& machine,
                       const std::vector<const ir::Expr*>& leaving, std::int64_t columns, std::int64_t unit_rows = 0);

// The parts that the columns may be cut into, in whole groups of panels, the largest first: all, and the smallest of
// each number of parts.
std::vector<std::int64_t> column_parts(const ScheduledOp& region);

// The tree with the parts that the region is predicted to take the least time with, on one thread.
TileTree fastest_products_tree(const ScheduledOp& region, const machine::Machine& machine,
                               const std::vector<const ir::Expr*>& leaving);

// The lanes of a product's panels.
std::int64_t panel_lanes(const ScheduledOp& product);

}  // namespace strata::schedule
