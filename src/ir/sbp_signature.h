// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/structured.h"

namespace strata::ir {

class Op;

// One way of dividing an op along one axis of a mesh: if each device has these of the operands and computes the op on
// what it has, then they have this of the result. Every op may also be computed by every device on full copies, which
// is in no list. Sizes of parts are equal, so every axis that is split must be divided by the number of devices without
// rest.
struct SbpSignature {
  std::vector<Sbp> operands;
  Sbp result;

  bool operator==(const SbpSignature&) const = default;
  std::string text(const Op& op) const;  // "a: S(0), b: B -> S(0)"
};

// The signatures of loops, from their index maps. Dividing an iterator splits each operand's axis that it alone indexes
// (or its quotient by a size, as `h / group`), leaves operands whole that it does not index, and splits the result's
// axis of it; where it is reduced it gives partial results of that combiner. Partial operands give a partial result
// where the loops are linear in them (sums), or move them unchanged. A division that is not known to give the same
// result has no signature: where an index shifts the iterator or a bound cuts it, where its number or its extent is
// read, where the combiner has a tuple of states, and where a type would round the summands of a sum.
std::vector<SbpSignature> loop_signatures(const LoopNest& nest, std::span<const TensorType> operands,
                                          const TensorType& result);

// The signatures of an op that holds the elements of its one operand in another shape or layout. `result_axis` says
// which axis of the result runs along one of the operand's, if any does.
std::vector<SbpSignature> copy_signatures(const TensorType& operand, const TensorType& result,
                                          const std::function<std::optional<int>(int)>& result_axis);

// The placement that the operands' placements imply for the op's result: on each axis of the mesh that of the signature
// which takes them. Throws Error (usage) where none does.
Placement implied_placement(const Op& op, std::span<const TensorType> operands,
                            std::span<const SbpSignature> signatures);

}  // namespace strata::ir
