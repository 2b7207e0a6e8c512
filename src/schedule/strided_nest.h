// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "ir/op.h"
#include "ir/structured.h"

namespace strata::schedule {

// The distance of neighbours along each axis of a tensor, in elements.
using Strides = std::vector<ir::Dim>;

// Innermost 1.
Strides row_major_strides(const ir::Shape& shape);

// An operand access as an address: sum of stride x iterator, plus offsets; in elements.
struct StridedAccess {
  int operand = 0;
  std::vector<ir::Dim> strides;  // by iterator; 0 where the iterator doesn't move the address
  std::int64_t offset = 0;
  std::vector<ir::Dim> symbolic_offsets;  // added to it
};

// A loop nest on operands with strides, with addresses in place of index maps, and neighbouring iterators merged into
// one where every access runs through them as through one. In the bodies an operand's `number` is that of its access.
struct StridedNest {
  std::vector<ir::Iterator> iterators;
  std::vector<ir::Stage> stages;
  std::vector<StridedAccess> accesses;

  const ir::Stage& result() const { return stages.back(); }
};

// Nothing when an iterator moves the address by strides of which the sum is no product: seq + ctx.
std::optional<StridedAccess> strided_access(const ir::ScalarExpr& access, const Strides& operand,
                                            std::size_t iterators);

// The operands' strides, by operand; those of a packed operand are empty. Nothing when an operand with axes has none,
// or the nest has an address that is no strided access. The iterator `apart` is not merged with others; -1: all may be.
std::optional<StridedNest> strided_nest(const ir::LoopNest& nest, const std::vector<Strides>& operands, int apart = -1);

// An iterator with an index of its own: the number of that name; -1: there is none, it was merged.
int find_iterator(const StridedNest& nest, const std::string& name);

}  // namespace strata::schedule
