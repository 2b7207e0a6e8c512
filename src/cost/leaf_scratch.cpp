// SPDX-License-Identifier: Apache-2.0
// The sizes are the tensor library's own.
#include "cost/leaf_scratch.h"

#include <stdexcept>

#include "encoding/encoding.h"
#include "tensor/attention.h"
#include "tensor/encoded.h"
#include "tensor/matmul.h"
#include "tensor/scaled_quads.h"

namespace strata::cost {
namespace {

const ir::TensorType& left(const LeafTile& tile) {
  return tile.operands[static_cast<std::size_t>(tile.contraction->left)];
}
const ir::Layout& right(const LeafTile& tile) {
  return tile.operands[static_cast<std::size_t>(tile.contraction->right)].layout;
}

std::int64_t depth(const LeafTile& tile) { return tile.extent(*tile.contraction->only(ir::IteratorClass::kK)); }

std::int64_t block(const LeafTile& tile) { return tile.contraction->factors.at(0).block; }

// Rows, as far as whole tiles of them reach.
std::int64_t whole_tiles(const LeafTile& tile) {
  const std::int64_t height = left(tile).layout.lanes(0);
  return tensor::div_up(tile.extent(*tile.contraction->only(ir::IteratorClass::kM)), height) * height;
}

// Of the tile of queries, and of a head.
std::int64_t rows(const LeafTile& tile) {
  return tile.extent(tile.attention->token) * tile.extent(tile.attention->head);
}
std::int64_t head(const LeafTile& tile) { return tile.extent(tile.attention->inner); }

}  // namespace

Scratch widened_scratch(const LeafTile& tile) {
  return {DType::kF32, tensor::widened_elements(right(tile).packs.at(0).lanes, tile.panels, depth(tile))};
}

Scratch decoded_scratch(const LeafTile& tile) {
  const ir::Layout& panels = right(tile);
  if (panels.encoding == nullptr) throw std::logic_error("a leaf that decodes has an operand without an encoding");
  return {left(tile).dtype,
          tensor::decoded_elements(panels.packs.at(0).lanes, tile.panels, panels.encoding->panels.depth, depth(tile))};
}

Scratch multiplied_scratch(const LeafTile& tile) {
  return {DType::kF32, tile.panels * right(tile).packs.at(0).lanes * depth(tile)};
}

Scratch starts_scratch(const LeafTile& tile) {
  return {DType::kI32, tensor::scaled_quads_starts(block(tile), whole_tiles(tile), depth(tile))};
}

Scratch quads_scratch(const LeafTile& tile) {
  return {DType::kI32, tensor::scaled_quads_scratch(right(tile).packs.at(0).lanes, tile.panels, block(tile),
                                                    whole_tiles(tile), depth(tile))};
}

Scratch queries_scratch(const LeafTile& tile) {
  const ir::TensorType& keys = tile.operands[static_cast<std::size_t>(tile.attention->keys)];
  return {keys.layout.group() > 1 ? keys.dtype : DType::kF32, rows(tile) * head(tile)};
}

Scratch scores_scratch(const LeafTile& tile) { return {DType::kF32, rows(tile) * tile.extent(tile.attention->key)}; }

Scratch running_scratch(const LeafTile& tile) { return {DType::kF32, tensor::running_floats(rows(tile), head(tile))}; }

}  // namespace strata::cost
