// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cost/leaf.h"

namespace strata::cost {

// A group of panels as f32, decoded as the left operand's type, or times its scales.
Scratch widened_scratch(const LeafTile& tile);
Scratch decoded_scratch(const LeafTile& tile);
Scratch multiplied_scratch(const LeafTile& tile);

// What sums of quantised rows start at; and a group of panels of codes as bytes.
Scratch starts_scratch(const LeafTile& tile);
Scratch quads_scratch(const LeafTile& tile);

// Of a tile of an attention's queries: the queries times the factor, as their keys meet them; the scores of a block of
// keys; the softmax so far.
Scratch queries_scratch(const LeafTile& tile);
Scratch scores_scratch(const LeafTile& tile);
Scratch running_scratch(const LeafTile& tile);

}  // namespace strata::cost
