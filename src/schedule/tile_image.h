// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/structured.h"
#include "schedule/schedule.h"

namespace strata::schedule {

// One axis of what a copy moves: the places in memory of the indices that `index` takes.
struct TileAxis {
  ir::IndexMap index = {};  // of the tree's iterators
  bool is_whole = false;    // all of the axis, whatever the iterators are
  ir::Dim extent = 1;
  std::int64_t unit = 1;  // neighbours that lie in one place
  ir::Dim stride = 1;     // elements from one place to the next
};

// The footprint of a tile in memory: the box of places that the loops inside of a node touch of a tensor, by the index
// maps of the op (ir/structured.h) and the layout that the tensor has.
struct TileImage {
  const ir::Expr* value = nullptr;  // whose elements they are
  std::vector<TileAxis> axes;       // as they lie in a buffer, the outermost first
  std::int64_t run = 1;             // elements of a place
  std::int64_t offset = 0;          // elements from the tensor's first one, and more of them
  std::vector<ir::Dim> symbolic_offsets = {};
  bool keeps_sizes = false;  // in a buffer: an axis of which a tile has all keeps its size, as leaves take it to have
  std::vector<int> divided = {};  // of a nest's access: by axis, which of its divided strides it is; -1: an iterator
};

// What a copy moves. Throws std::logic_error where the op has nothing of that number.
TileImage image_of(const ScheduledOp& op, CopyOf of, int number);

// The iterators that move it, rising.
std::vector<int> moved_by(const TileImage& image);

// Operands whose elements say where it lies.
std::vector<int> numbers_of(const TileImage& image);

// What a node has of an iterator: so many steps at most, from a multiple of `grain` on (0: from the first one).
struct IteratorPart {
  std::int64_t steps = 1;
  std::int64_t grain = 0;
};

// The most places of an axis that the parts of the iterators touch.
std::int64_t most_places(const TileAxis& axis, const TileTree& tree, std::span<const IteratorPart> parts);

// How the tensor of the tile lies in a buffer: by axis the size that its leaf takes it to have (its own where the tile
// has all of it), and the distance of its places; and the elements of the buffer.
struct TileLayout {
  std::vector<ir::Dim> sizes;
  std::vector<ir::Dim> strides;
  std::int64_t elements = 1;
};
TileLayout layout_of(const TileImage& image, const TileTree& tree, std::span<const IteratorPart> parts);

// What parts of a loop are multiples of: the step inside, or what the leaf can be cut at.
std::int64_t part_unit(const ScheduledOp& op, const TileNode& loop);

// What a node inside of a parallel or serial loop has of the loop's iterator. `is_unit`: threads share the steps of
// this parallel loop together with those of another one, one step at a time.
IteratorPart part_inside(const ScheduledOp& op, const TileNode& loop, const IteratorPart& outside, bool is_unit);

// The operands that a leaf's call reads, rising: those that its row of the table names.
std::vector<int> operands_read(const ScheduledOp& op, const cost::Leaf& leaf);

// Operands of one element for each step that the bounds of an attention's keys read.
std::vector<int> bound_operands(const ScheduledOp& op);

// What the copies of a tree do on one thread, at the largest sizes.
struct CopyWork {
  double copies = 0;
  double read_bytes = 0;
  double written_bytes = 0;
  std::int64_t live_bytes = 0;  // of the buffers that are there at once
};
CopyWork copy_work(const ScheduledOp& op, const TileTree& tree);

// "// 5 copies: 131328 bytes in, 131072 bytes out, 196864 bytes of scratchpad at once" and a line break; "" of an op
// without copies.
std::string copies_text(const ScheduledOp& op, const machine::Machine& machine);

}  // namespace strata::schedule
