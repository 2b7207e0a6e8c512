// SPDX-License-Identifier: Apache-2.0
// The sizes are the tensor library's own.
#include "cost/leaf_scratch.h"

#include "encoding/encoding.h"
#include "machine/cost.h"
#include "tensor/attention.h"
#include "tensor/encoded.h"
#include "tensor/matmul.h"

namespace strata::cost {
namespace {

const ir::TensorType& left(const LeafTile& tile) {
  return tile.operands[static_cast<std::size_t>(tile.contraction->left)];
}
const ir::Layout& right(const LeafTile& tile) {
  return tile.operands[static_cast<std::size_t>(tile.contraction->right)].layout;
}

}  // namespace

Scratch widened_scratch(const LeafTile& tile) {
  return {DType::kF32, tensor::widened_elements(right(tile).packs.at(0).lanes, tile.panels, tile.depth)};
}

Scratch decoded_scratch(const LeafTile& tile) {
  const ir::Layout& panels = right(tile);
  return {left(tile).dtype,
          tensor::decoded_elements(panels.packs.at(0).lanes, tile.panels, panels.encoding->panels.depth, tile.depth)};
}

Scratch attention_scratch(const LeafTile& tile) {
  const machine::AttentionBlock block = machine::attention_block(tile.machine);
  const ir::Shape& queries = tile.operands[0].shape;
  const ir::Shape& keys = tile.operands[1].shape;
  return {DType::kF32, tensor::attention_scratch_floats({block.rows, block.keys}, queries[0].max(), queries[1].max(),
                                                        keys[0].max(), queries[2].max())};
}

}  // namespace strata::cost
