// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "import/tensor_view.h"
#include "ir/type.h"

namespace strata::importer {

// A leaf of the program that a weight is made of.
struct WeightLeaf {
  std::string name;  // the weight's, and what part of it this is: "model.layers.0.mlp.up_proj.weight.codes"
  ir::TensorType type;
  BlockPart part = BlockPart::kValues;
};

// Whether the program may have the weight as it is stored, by the parts of its blocks: a matrix without a scale of its
// own beside them.
bool is_kept_in_blocks(const TensorView& weight);

// The parts of such a weight: value = scale of its group * code + shift of its group, where scales and shifts may be
// products of an integer of the group and a number of the block.
std::vector<WeightLeaf> block_leaves(const std::string& name, const TensorView& weight);

// ".codes"; empty of kValues.
std::string_view block_part_suffix(BlockPart part);

// The weight's name and the part that a leaf's name says; nothing for one that is no part.
struct LeafName {
  std::string weight;
  BlockPart part = BlockPart::kValues;
};
std::optional<LeafName> parse_leaf_name(std::string_view name);

// That part of the weight, as a tensor.
TensorView part_of(const TensorView& weight, BlockPart part);

}  // namespace strata::importer
