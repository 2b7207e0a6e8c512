// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "ir/sbp_signature.h"

namespace strata::ir {

// The ways of dividing loops that are right only if each device knows where its part begins, beside those that
// loop_signatures() has:
//
//   - an iterator whose number is read or which a bound cuts, `t <= positions[s]`: the part's numbers are counted from
//     where it begins;
//   - the iterator of a tuple of states: parts are states, P of the combiner kTuple (online softmax: maximum, sum and
//     weighted sum), which are joined by rescaling;
//   - an axis whose index is data, `table[ids[s], j]`: what lies in another part is read as zero, where that makes a
//     summand of the result, and isn't written, where the operand is updated in place.
std::vector<SbpSignature> part_signatures(const LoopNest& nest, std::span<const TensorType> operands,
                                          const TensorType& result);

}  // namespace strata::ir
