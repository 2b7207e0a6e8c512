// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "codegen/code_writer.h"
#include "codegen/leaf_code.h"
#include "schedule/tile_image.h"

namespace strata::codegen {

// C++ expressions of a copy between memory and a buffer, where its node stands.
class CopyCode {
 public:
  // `numbers`: pointers to operands in buffers, of one element where they say where the tile lies.
  CopyCode(const schedule::TileImage& image, const schedule::TileLayout& layout, const std::vector<RangeCode>& ranges,
           const schedule::TileTree& tree, const std::map<int, std::string>& numbers);

  // "{count, from, to}, ...": tensor::CopyAxis; `is_out`: from the buffer.
  std::string axes(bool is_out) const;

  // " + ...", from the tensor's first element to the tile's; "": none.
  std::string begin() const;

  // The first place of an axis.
  const std::string& place(std::size_t axis) const { return places_[axis]; }

  // Elements between where the tensor would begin and the tile, by the buffer's strides, of the axes of which `counts`
  // says so; "": none.
  std::string skipped(const schedule::TileLayout& layout,
                      const std::function<bool(const schedule::TileAxis&)>& counts) const;

 private:
  const schedule::TileImage& image_;
  const schedule::TileLayout& layout_;
  std::vector<std::string> places_, counts_;  // by axis
};

}  // namespace strata::codegen
