// SPDX-License-Identifier: Apache-2.0
// What loops make of operands when one of their iterators is divided among devices, or operands are partial.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "ir/sbp_signature.h"

namespace strata::ir {

inline constexpr int kNoIterator = -1;

struct Divided {
  int iterator = kNoIterator;
  bool knows_part = false;  // each device knows where its part of the iterator begins (ir/part_signature.h)
};

// Nothing where the result is not known to be right. `partial` says which operands are partial; the other ones are
// placed as the division needs them.
std::optional<SbpSignature> divided(const LoopNest& nest, std::span<const TensorType> operands, const Divided& divided,
                                    std::vector<Sbp> partial);

}  // namespace strata::ir
