// SPDX-License-Identifier: Apache-2.0
#include "codegen/copy_emitter.h"

#include <algorithm>

namespace strata::codegen {

using schedule::CopyOf;
using schedule::TileNode;

void CopyEmitter::emit(const TileNode& copy, const std::vector<RangeCode>& ranges,
                       const std::vector<schedule::IteratorPart>& parts) {
  const schedule::TileImage image = schedule::image_of(op_, copy.of, copy.copied);
  const schedule::TileLayout layout = schedule::layout_of(image, op_.tree, parts);
  const CopyCode code(image, layout, ranges, op_.tree, numbers_);
  const std::string buffer = buffer_name(copy.buffer);
  const bool is_out = is_copied_out(copy.of);
  const std::string axes = "c_" + cpp_name(copy.buffer) + (is_out ? "_out" : "");
  out_.line("const tensor::CopyAxis " + axes + "[] = {" + code.axes(is_out) + "};");
  const std::string memory = memory_of(copy) + code.begin();
  out_.line("tensor::copy_box(" + (is_out ? buffer + ", " + memory : memory + ", " + buffer) + ", " + axes + ", " +
            std::to_string(image.run) + ");");
  if (copy.of == CopyOf::kOperand) place_operand(copy, layout, code);
  if (copy.of == CopyOf::kAccess) place_access(copy, image, layout, code, ranges.size());
}

std::string CopyEmitter::memory_of(const TileNode& copy) const {
  const auto number = static_cast<std::size_t>(copy.copied);
  switch (copy.of) {
    case CopyOf::kOperand:
      return code_.operands.at(number);
    case CopyOf::kAccess:
      return code_.inputs.at(static_cast<std::size_t>(op_.nest->accesses[number].operand)).pointer;
    case CopyOf::kStage: {
      const auto value = code_.values.find(copy.copied);
      return value == code_.values.end() ? code_.result : value->second;
    }
    case CopyOf::kResult:
      break;
  }
  return code_.result;
}

// The leaf finds the tile where it would be in the whole operand.
void CopyEmitter::place_operand(const TileNode& copy, const schedule::TileLayout& layout, const CopyCode& code) {
  const std::string buffer = buffer_name(copy.buffer);
  numbers_[copy.copied] = buffer;
  std::string pointer = buffer;
  if (const std::string elements = skipped(layout, code); !elements.empty()) {
    pointer = "w_" + cpp_name(copy.buffer);
    out_.line("auto* const " + pointer + " = tensor::as_whole(" + buffer + ", " + elements + ");");
  }
  leaf_.place(copy.copied, {pointer, layout.sizes, layout.strides});
}

void CopyEmitter::place_result(const TileNode& leaf) {
  const schedule::TileImage image = schedule::image_of(op_, CopyOf::kResult, 0);
  const Standing& at = buffers_.at(leaf.buffer);
  const schedule::TileLayout layout = schedule::layout_of(image, op_.tree, at.parts);
  const CopyCode code(image, layout, at.ranges, op_.tree, numbers_);
  const std::string elements = skipped(layout, code), buffer = buffer_name(leaf.buffer);
  const std::string row = layout.strides.size() < 2 ? "" : cpp_size(layout.strides[layout.strides.size() - 2]);
  leaf_.set_result(elements.empty() ? buffer : "tensor::as_whole(" + buffer + ", " + elements + ")", row);
}

// Elements between where the whole tensor would begin and the tile, of the axes that the leaf's call counts from the
// first index of all: of a loop of the leaf's own it is told the range of the loop alone.
std::string CopyEmitter::skipped(const schedule::TileLayout& layout, const CopyCode& code) const {
  const bool has_own_loop = op_.leaf->domain == cost::Leaf::Domain::kLoop;
  return code.skipped(layout, [&](const schedule::TileAxis& axis) {
    for (std::size_t i = 0; has_own_loop && i < axis.index.coefficients.size(); ++i) {
      if (axis.index.coefficients[i] != 0 && static_cast<int>(i) != op_.rows) return false;
    }
    return true;
  });
}

// The same address in all accesses that are alike.
void CopyEmitter::place_access(const TileNode& copy, const schedule::TileImage& image,
                               const schedule::TileLayout& layout, const CopyCode& code, std::size_t iterators) {
  const auto& accesses = op_.nest->accesses;
  const schedule::StridedAccess& copied = accesses[static_cast<std::size_t>(copy.copied)];
  StageCode::Tile tile{buffer_name(copy.buffer), copied, {}, {}};
  tile.begins.assign(iterators, "0");
  tile.divided_begins.assign(tile.access.divided.size(), "0");
  for (std::size_t axis = 0; axis < image.axes.size(); ++axis) {
    const int divided = image.divided[axis];
    if (divided >= 0) {
      tile.access.divided[static_cast<std::size_t>(divided)].stride = layout.strides[axis];
      tile.divided_begins[static_cast<std::size_t>(divided)] = code.place(axis);
      continue;
    }
    const auto& coefficients = image.axes[axis].index.coefficients;
    const auto iterator = static_cast<std::size_t>(std::ranges::find(coefficients, 1) - coefficients.begin());
    tile.access.strides[iterator] = layout.strides[axis];
    tile.begins[iterator] = code.place(axis);
  }
  for (std::size_t other = 0; other < accesses.size(); ++other) {
    if (accesses[other] == copied) stages_.set_tile(static_cast<int>(other), tile);
  }
}

}  // namespace strata::codegen
