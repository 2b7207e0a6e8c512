// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cost/leaf.h"

namespace strata::cost {

// A group of panels as f32, decoded as the left operand's type, and the running softmax of a tile of queries.
Scratch widened_scratch(const LeafTile& tile);
Scratch decoded_scratch(const LeafTile& tile);
Scratch attention_scratch(const LeafTile& tile);

}  // namespace strata::cost
