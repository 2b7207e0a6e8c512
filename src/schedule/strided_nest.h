// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "ir/op.h"
#include "ir/structured.h"

namespace strata::schedule {

// An operand access as an address: sum of stride x iterator, plus an offset; in elements.
struct StridedAccess {
  int operand = 0;
  std::vector<ir::Dim> strides;  // by iterator; 0 where the iterator doesn't move the address
  std::int64_t offset = 0;
};

// A loop nest on row-major operands, with addresses in place of index maps, and neighbouring iterators merged into one
// where every access runs through them as through one. In the bodies an operand's `number` is that of its access.
struct StridedNest {
  std::vector<ir::Iterator> iterators;
  std::vector<ir::Stage> stages;
  std::vector<StridedAccess> accesses;

  const ir::Stage& result() const { return stages.back(); }
};

// Nothing when an operand isn't row-major or a stride isn't a multiple of one symbol.
std::optional<StridedNest> strided_nest(const ir::LoopNest& nest, const std::vector<ir::TensorType>& operands);

}  // namespace strata::schedule
