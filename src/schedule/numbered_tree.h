// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "ir/expr.h"
#include "machine/machine.h"
#include "schedule/schedule.h"

namespace strata::schedule {

// Of a product by number the product of the rows that meet one matrix, as an op by itself. How many rows there are is
// the symbol kNumberedRows, or they are one.
struct NumberedProduct {
  ir::ExprPool pool;
  ScheduledOp op;
};

inline constexpr std::string_view kNumberedRows = "numbered_rows";

std::shared_ptr<const NumberedProduct> numbered_product(const ir::Expr& value, const cost::Leaf& leaf,
                                                        const machine::Machine& machine);

// A product by number: threads share the columns of all matrices alike; each orders the rows by their matrices, and for
// each of these packs its rows into tiles, multiplies them as those of one matrix, and puts what it makes where the
// rows belong. A few rows are multiplied as they are, one by one:
//
//   parallel n by 64 {
//     buffer order: i32[4160] in L1
//     buffer tile: f32[50688] in L2
//     buffer taken: f32[6144] in L1
//     buffer rows0: f32[98304] in L2
//     numbered i0 by 96 with order, tile, taken, rows0 {
//       serial i0 by 96 {
//         serial k by 512 in L2 {
//           leaf tile panels 4
//         }
//       }
//     }
//   }
TileTree numbered_tree(const ScheduledOp& op, const machine::Machine& machine);

// What a loop over matrices works in, by what it is to it, where threads have `columns` at most: the rows in order, a
// tile of what is made, one row tile of an operand as it lies, and its operands of rows in tiles.
std::vector<std::string> numbered_buffers(const ScheduledOp& op);
std::vector<cost::Scratch> numbered_scratch(const ScheduledOp& op, std::int64_t step);

}  // namespace strata::schedule
