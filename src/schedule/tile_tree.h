// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cost/leaf.h"
#include "machine/machine.h"
#include "schedule/strided_nest.h"

namespace strata::ir {
class TextScanner;
}

namespace strata::schedule {

// What a copy between memory and a buffer moves, by number.
enum class CopyOf {
  kOperand,  // of the leaf, into a buffer
  kAccess,   // of the op's own loops, into a buffer
  kStage,    // of the op's own loops, from a buffer
  kResult,   // of the leaf, from a buffer
};

// A node of a tile tree. Where it stands, every iterator of the region has a range: at the root all of its extent, and
// inside a loop a part of what it had outside.
struct TileNode {
  enum class Kind {
    kParallel,  // this thread's contiguous share of the range, in units of `step`; where one is all that another one
                // does, this thread's share of the units of both together, one unit after another. With `parts` a
                // unit is one of so many parts of what a reduction runs through, each of whole units of the leaf: what
                // it has summed stays in a shared buffer, for a leaf that combines them
    kSerial,    // the range in equal parts of at most `step`, in units of the next inner step of the same iterator
    kVector,    // `step` lanes at a time; one is scalar code
    kOnce,      // by one thread alone
    kEach,      // by each thread, all of it, into memory of its own: what the region makes has a copy for each
    kBarrier,   // waits until all threads have come
    kNumbered,  // the rows of each matrix that their numbers say, one matrix after another, at most `step` at once
    kWhen,      // `body` where the extent is at most `step`, `otherwise` where it is more
    kBuffer,    // memory of each thread, for the nodes that follow it in its list; with `slots` of all threads
    kCopy,      // between memory and a buffer of the level that software manages: what the ranges touch of a tensor.
                // The nodes that follow it in its list read the operand in the buffer
    kCompute,   // the ranges as they are, by a leaf
  };

  Kind kind = Kind::kCompute;
  int iterator = -1;       // kParallel, kSerial, kVector, kNumbered, kWhen: of TileTree::iterators
  std::int64_t step = 1;   // the same
  std::int64_t parts = 0;  // kParallel: of a reduction's range; 0: units of `step`
  int level = -1;          // kSerial: of the memory level that holds what the loops inside read again; kBuffer: of its
                           // own; -1: not said
  std::vector<TileNode> body = {};
  std::vector<TileNode> otherwise = {};  // kWhen

  std::string buffer = {};             // kBuffer: its name, unique in the tree; kCompute: where a stage's elements, or
                                       // a leaf's result, are kept; kCopy: from or into it
  cost::Scratch holds = {};            // kBuffer
  std::int64_t slots = 0;              // kBuffer: so many of them, one for each unit of the loops that divide a
                                       // reduction; 0: one of each thread
  std::vector<std::string> with = {};  // kCompute: the names of the buffers that the leaf works in, as it lists them;
                                       // kNumbered: of those that it works in (schedule/numbered_tree.h)

  CopyOf of = CopyOf::kOperand;  // kCopy
  int copied = 0;                // kCopy: its number
  std::vector<int> along = {};   // kCopy: the iterators that move what is copied

  const cost::Leaf* leaf = nullptr;  // kCompute
  int stage = -1;                    // of an op's own loops, or of a product in a region: which one
  bool in_lanes = false;             // of a stage: its elements are kept nowhere, the same loops read them
  std::int64_t rows = 0;             // of an attention's product: of its register tile
  std::int64_t panels = 1;           // of a product: vectors of the right operand side by side
  machine::Stream stream = {};       // of a product of one row, or an attention's: how the right operand is read
};

// A loop that a region has: its name and number of steps.
struct TileIterator {
  std::string name;
  ir::Dim extent;
  std::string_view code = {};  // of a leaf's own loop: the extent in the leaf's notation
};

// How a region of one op or several is computed: loops down to leaves. The default schedule, a search's plan and one
// written by hand are all this and nothing else; the code generator walks it.
struct TileTree {
  std::vector<TileIterator> iterators;
  std::vector<TileNode> body = {};
};

// A node with a body: a loop over an iterator, or a case of its extent.
TileNode loop_node(TileNode::Kind kind, int iterator, std::int64_t step, std::vector<TileNode> body);

// The parallel loop that is all that this one does; nullptr: there is none.
const TileNode* divided_inside(const TileNode& node);

// The tree in which each thread does what one alone does in this one. Nothing where threads share the work.
std::optional<TileTree> in_each_thread(const TileTree& tree);

// Whether each thread computes all of the region.
bool is_in_each_thread(const TileTree& tree);

// The loop that divides a reduction among threads; nullptr: there is none.
const TileNode* find_split(const std::vector<TileNode>& nodes);

// Whether all threads wait between two parts of the tree's own work.
bool has_barrier_inside(const TileTree& tree);

// The barrier that a tree begins with; nullptr: it begins with something else.
const TileNode* first_barrier(const TileTree& tree);

// Whether a node computes a stage of the nest by loops, not by a leaf.
bool is_own_stage(const TileNode& node);

// The last computation below a node; nullptr: there is none.
const TileNode* last_compute(const TileNode& node);

// Whether it does something: it is neither memory nor a barrier.
constexpr bool is_work(const TileNode& node) {
  return node.kind != TileNode::Kind::kBarrier && node.kind != TileNode::Kind::kBuffer;
}

// The node that computes a stage; nullptr: none does.
const TileNode* find_stage(const std::vector<TileNode>& nodes, int stage);

// The buffer of that name; nullptr: there is none.
const TileNode* find_buffer(const std::vector<TileNode>& nodes, const std::string& name);

// Whether a copy writes memory.
constexpr bool is_copied_out(CopyOf of) { return of == CopyOf::kStage || of == CopyOf::kResult; }

bool has_copies(const std::vector<TileNode>& nodes);

// The tree as text, which parse_tile_tree reads:
//
//   parallel n by 64 {
//     serial m by 288 {
//       serial k by 512 in L2 {
//         buffer widened: f32[32768] in L2
//         leaf tile-widened panels 4 with widened
//       }
//     }
//   }
//
// and with copies, on a machine with a memory level that software manages:
//
//   parallel i0 by 1 {
//     buffer in1: f32[64] in scratchpad
//     copy access 1[k] into in1
//     serial i0 by 256 {
//       buffer in0: f32[16384] in scratchpad
//       copy access 0[i0, k] into in0
//       buffer out1: f32[16384] in scratchpad
//       serial i0 by 1 {
//         ...
//           stage 1 into out1
//       }
//       copy out1 into stage 1[i0, k]
//     }
//   }
std::string to_text(const TileTree& tree, const machine::Machine& machine, int indent = 0);

// The nodes between braces, for a region with the iterators of `region`. The same errors.
std::vector<TileNode> parse_tile_nodes(ir::TextScanner& in, const TileTree& region, const machine::Machine& machine);

// The nodes of a text, for a region with the iterators of `region`. Throws Error (model) naming origin:line:column.
std::vector<TileNode> parse_tile_tree(std::string_view text, const std::string& origin, const TileTree& region,
                                      const machine::Machine& machine);

}  // namespace strata::schedule
