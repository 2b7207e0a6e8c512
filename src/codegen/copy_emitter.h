// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/code_writer.h"
#include "codegen/copy_code.h"
#include "codegen/leaf_code.h"
#include "codegen/stage_code.h"
#include "codegen/tree_emitter.h"
#include "schedule/tile_image.h"

namespace strata::codegen {

// Emits the copies of a tile tree, and tells its leaves and stages where what they read and make then lies. Of what
// stands around a node it is told the ranges of the iterators, as code, and their parts (schedule/tile_image.h).
class CopyEmitter {
 public:
  CopyEmitter(CodeWriter& out, const schedule::ScheduledOp& op, const RegionCode& code, LeafCode& leaf,
              StageCode& stages)
      : out_(out), op_(op), code_(code), leaf_(leaf), stages_(stages) {}

  void emit(const schedule::TileNode& copy, const std::vector<RangeCode>& ranges,
            const std::vector<schedule::IteratorPart>& parts);

  // A buffer stands there, for the nodes behind it.
  void begin(const schedule::TileNode& buffer, const std::vector<RangeCode>& ranges,
             const std::vector<schedule::IteratorPart>& parts) {
    buffers_[buffer.buffer] = {ranges, parts};
  }

  // The leaf makes its result in its buffer.
  void place_result(const schedule::TileNode& leaf);

 private:
  // Where a buffer stands.
  struct Standing {
    std::vector<RangeCode> ranges;
    std::vector<schedule::IteratorPart> parts;
  };

  std::string memory_of(const schedule::TileNode& copy) const;
  void place_operand(const schedule::TileNode& copy, const schedule::TileLayout& layout, const CopyCode& code);
  void place_access(const schedule::TileNode& copy, const schedule::TileImage& image,
                    const schedule::TileLayout& layout, const CopyCode& code, std::size_t iterators);
  std::string skipped(const schedule::TileLayout& layout, const CopyCode& code) const;

  CodeWriter& out_;
  const schedule::ScheduledOp& op_;
  const RegionCode& code_;
  LeafCode& leaf_;
  StageCode& stages_;
  std::map<std::string, Standing> buffers_;  // by name
  std::map<int, std::string> numbers_;       // by operand: the buffer that it is in
};

}  // namespace strata::codegen
