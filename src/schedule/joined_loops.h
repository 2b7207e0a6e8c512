// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "ir/expr.h"
#include "ir/structured.h"

namespace strata::schedule {

// The loops of one op or of several as one nest. In its bodies a stage is read at the loops' own indices, or, where it
// has an index, at that number of the elements that it makes at those of its iterators which the reader has too.
struct JoinedLoops {
  ir::LoopNest nest;                    // attributes are constants in it
  std::vector<const ir::Expr*> inputs;  // by operand number; each value is there once
  std::vector<const ir::Expr*> made;    // by stage: the value whose elements it gives; nullptr: it is inside of an op
};

// Those of one op that has loops.
JoinedLoops loops_alone(const ir::Expr& value);

// What reads all elements of a value in their order: a leaf's place beside loops. Its one stage makes nothing.
JoinedLoops loops_reading(const ir::Expr& value);

// What stands for a value that a leaf makes, a matrix: its one stage is not computed by loops.
JoinedLoops loops_of_leaf(const ir::Expr& value);

// With a stage more, which a leaf makes and none of the others reads: of a value of the same shape as that of a stage
// there.
JoinedLoops with_unread(JoinedLoops loops, const ir::Expr& value, int like);

// `consumer` with the stages of `producer` before its own, which read them in place of the value that the producer
// makes. They share the iterators of that value where it is read element by element, each by the iterators that index
// it. Else they share those of its first axes that all reads name alike, such as rows and heads: the elements inside of
// them, whose number is known, are read in any order, where they are kept. Nothing where no axis is read so.
// `read_as`: the producer's value and the views that are the same tensor, whose axes may be others.
std::optional<JoinedLoops> joined(const JoinedLoops& consumer, const JoinedLoops& producer,
                                  const std::vector<const ir::Expr*>& read_as);

}  // namespace strata::schedule
