// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "schedule/schedule.h"

namespace strata::schedule {

// Regions of several ops. The last op of a region has the tree, and the others as its parts; it runs where it stands,
// so nothing between may change what the parts read, or read what they make.

// Why ops are no region, in a few words.
struct NoRegion {
  std::string why;
};

// The region of these ops of a function, by their numbers, rising, with the default tree: the last op of all, which has
// loops of its own or takes tiles of rows, and others with loops of their own, each of which a later one reads, maybe
// in another order. Products may be among them where all else are maps of their rows and columns, or loops inside of
// units of their columns: a team of `threads` may share their rows too (share_rows).
std::variant<ScheduledOp, NoRegion> region_of(const ScheduledFunction& function, const std::vector<std::size_t>& ops,
                                              const machine::Machine& machine, int threads = 1);

// The values of a region's parts that something outside of it reads, and the views of them that it reads.
std::vector<const ir::Expr*> leaving(const ScheduledFunction& function, const ScheduledOp& region);

// The last stage of a value that the region makes, or of columns of it.
int stage_of(const ScheduledOp& region, const ir::Expr* value);

// Whether a region keeps a part's value, or columns of it, in memory that others can read.
bool is_in_memory(const ScheduledOp& region, const ir::Expr* value);

// Ops that belong to the region of this one, by number: itself alone, or all parts.
std::vector<std::size_t> members(const ScheduledFunction& function, std::size_t op);

// Puts a region in the place of its ops.
void enter(ScheduledFunction& function, ScheduledOp region);

// Each op of a region has its own code again.
void dissolve(ScheduledFunction& function, std::size_t op);

}  // namespace strata::schedule
