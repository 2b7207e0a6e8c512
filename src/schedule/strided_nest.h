// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "ir/op.h"
#include "ir/structured.h"

namespace strata::schedule {

// The distance of neighbours along each axis of a tensor, in elements.
using Strides = std::vector<ir::Dim>;

// Whether a product of these sizes is a constant times one symbol at most.
bool can_multiply(const ir::Dim& a, const ir::Dim& b);

// Innermost 1. Nothing where one isn't a multiple of one symbol.
std::optional<Strides> row_major_strides(const ir::Shape& shape);

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

// Nothing when an address isn't a sum of multiples of one symbol each.
std::optional<StridedAccess> strided_access(const ir::ScalarExpr& access, const Strides& operand,
                                            std::size_t iterators);

// The operands' strides, by operand; those of an operand without strides (packed, or not expressible) are empty.
// Nothing when an operand with axes has none, or a stride isn't a multiple of one symbol.
std::optional<StridedNest> strided_nest(const ir::LoopNest& nest, const std::vector<Strides>& operands);

}  // namespace strata::schedule
