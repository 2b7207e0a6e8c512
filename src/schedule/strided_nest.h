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

// A part of an address: stride x the quotient of an iterator, or x the remainder.
struct DividedStride {
  int iterator = 0;
  std::int64_t divisor = 1;
  bool is_remainder = false;
  ir::Dim stride;
  bool operator==(const DividedStride&) const = default;
};

// An access as an address: sum of stride x iterator, plus offsets; in elements. One of another element of a stage
// counts from the first of those that the stage makes at the loops' own indices: its strides are those of the iterators
// that the stage doesn't have.
struct StridedAccess {
  int operand = 0;                          // -1: it is of a stage
  std::vector<ir::Dim> strides;             // by iterator; 0 where the iterator doesn't move the address
  std::vector<DividedStride> divided = {};  // added to it
  std::int64_t offset = 0;
  std::vector<ir::Dim> symbolic_offsets;  // added to it
  int stage = -1;                         // of the nest; -1: it is of an operand
  std::vector<int> inside = {};           // of a stage: its iterators that the reader doesn't have
  bool operator==(const StridedAccess&) const = default;
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

// Whether a body reads other elements of a stage than the loops stand at.
bool reads_apart(const StridedNest& nest, const ir::ScalarExpr& body, int stage);

// Whether it reads the stage at all.
bool reads_stage(const StridedNest& nest, const ir::ScalarExpr& body, int stage);

// The operands' strides, by operand; those of a packed operand are empty. Nothing when an operand with axes has none,
// or the nest has an address that is no strided access. The iterator `apart` is not merged with others; -1: all may be.
std::optional<StridedNest> strided_nest(const ir::LoopNest& nest, const std::vector<Strides>& operands, int apart = -1);

// Whether a quotient or remainder of the iterator is in the address.
bool divides(const StridedAccess& access, int iterator);

// The distance of neighbours along an iterator among which no quotient of it changes. Nothing where it is no product.
std::optional<ir::Dim> stride_in_lanes(const StridedAccess& access, int iterator);

// Whether a stage can be computed for so many indices of an iterator at once, from a multiple of them on: it doesn't
// read the index itself, and what it reads lies equally far apart. No group of lanes lies across two quotients.
bool can_run_in_lanes(const StridedNest& nest, int stage, int iterator, std::int64_t lanes);

// An iterator with an index of its own: the number of that name; -1: there is none, it was merged.
int find_iterator(const StridedNest& nest, const std::string& name);

}  // namespace strata::schedule
