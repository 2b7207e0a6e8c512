// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "ir/op.h"
#include "machine/machine.h"

namespace strata::vectorize {

// The form in which a candidate wants an operand: packed, and rounded to another element type where the unit multiplies
// that and the op permits it.
struct OperandForm {
  ir::Layout layout;
  DType dtype = DType::kF32;

  bool operator==(const OperandForm&) const = default;
};

// One way of doing an op in vector lanes: a form per operand.
struct Candidate {
  std::vector<OperandForm> operands;

  bool operator==(const Candidate&) const = default;
};

// The packed forms of an op on row-major operands, for every compute unit of the machine.
//
// Of a structured op they are derived from its index maps: one iterator runs over a unit's lanes, and each operand that
// uses it is packed along the axis that it indexes. A unit that sums several products per lane (a dot-product unit)
// packs along a second, reduced iterator too. Operands of a reduction that don't use the first iterator may be packed
// along an iterator of their own by the rows of a register tile, so that a micro-kernel reads them in order: the
// machine's, and of a contraction those that its row count makes faster (cost::row_tiles). Of other ops, the axes of
// one operand and of two are tried: what remains is what the op's kernel takes.
//
// Only what the code generator can make (cost::find_leaf) is a candidate. The row-major op itself is not listed.
std::vector<Candidate> candidates(const ir::Op& op, std::span<const ir::TensorType> operands,
                                  const ir::Attributes& attributes, const machine::Machine& machine);

}  // namespace strata::vectorize
