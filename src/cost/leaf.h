// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "ir/attention_form.h"
#include "ir/contraction.h"
#include "ir/form_operands.h"
#include "ir/op.h"
#include "machine/machine.h"

namespace strata::cost {

class WorkCounter;

// An op on operands of given types and layouts, as leaves are asked whether they make code for it.
struct Signature {
  Signature(const ir::Op& op, std::span<const ir::TensorType> operands, const ir::Attributes& attributes,
            const ir::TensorType& result);

  const ir::Op& op;
  std::span<const ir::TensorType> operands;
  const ir::Attributes& attributes;
  const ir::TensorType& result;
  std::shared_ptr<const ir::LoopNest> nest;  // of a structured op, else null
  std::optional<ir::Contraction> contraction;
  std::optional<ir::AttentionForm> attention;
  ir::FormOperands form;            // what the operands are to the loops' form
  bool has_plain_loops = false;     // see ir::is_plain
  bool is_in_memory_order = false;  // no operand, and not the result, is rearranged by its layout

  // Of that name in the form; nullptr: there is none.
  const ir::TensorType* find(std::string_view name) const;
};

// A loop around a leaf that is not one of the op's own, along the result's first axis: its extent in the leaf's
// notation (`Leaf::code`).
struct LeafLoop {
  std::string_view name;
  std::string_view extent;
  bool takes_row_tiles = false;  // threads share it in units of the result's row tile
};

// Where a leaf stands.
struct LeafTile {
  const machine::Machine& machine;
  std::span<const ir::TensorType> operands;
  const ir::Contraction* contraction = nullptr;  // of a leaf of one
  const ir::AttentionForm* attention = nullptr;  // the same
  std::span<const std::int64_t> extents = {};    // by iterator: the most steps of it that the leaf meets at once
  std::int64_t panels = 1;                       // of a contraction: vectors of the right operand side by side

  std::int64_t extent(int iterator) const { return extents[static_cast<std::size_t>(iterator)]; }
};

// Memory that a leaf works in, of one thread.
struct Scratch {
  DType dtype = DType::kF32;
  std::int64_t elements = 0;
};

// Memory of a plan begins at multiples of this: of a cache line, and of the widest vector.
inline constexpr std::int64_t kAlignment = 64;
constexpr std::int64_t aligned(std::int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// Bytes that it takes there.
constexpr std::int64_t scratch_bytes(const Scratch& holds) { return aligned(holds.elements * dtype_size(holds.dtype)); }

// Such memory, by what it is to the leaf.
struct LeafBuffer {
  std::string_view name;
  Scratch (*needs)(const LeafTile&) = nullptr;
  bool is_state = false;  // what a reduction has summed so far: of each part of one that threads share
};

// What the innermost tile of a tile tree is computed by: a micro-kernel of the tensor library. A row of the table is
// all that is known of it: which operands it takes, what it costs, and how it is called. The search, the cost model,
// the schedule and the code generator read the same row.
struct Leaf {
  // Whose loops stand around it.
  enum class Domain {
    kView,         // no code: the result is another value's memory
    kOwn,          // the op's own loops, each stage's scalar body at the innermost one
    kContraction,  // m, n and k of a sum of products
    kAttention,    // queries, heads and keys of a weighted sum of values
    kNumbered,     // of rows that each meet a matrix of several: those of the leaf of one matrix
    kLoop,         // `loop`: divided among the threads
    kOnce,         // none: one thread does all of it
  };

  std::string_view name;
  Domain domain = Domain::kOwn;
  bool (*takes)(const Signature&) = nullptr;
  void (*count)(WorkCounter&) = nullptr;
  LeafLoop loop = {};

  // Of a contraction: whether it takes any block of m and k, adding to what earlier blocks of k have left. Of an
  // attention: whether it takes a block of the keys. Of rows by number: whether those of a matrix come together.
  bool takes_blocks = false;
  // Of an attention: the operand of its form that it multiplies in register tiles; empty: none.
  std::string_view multiplies = {};

  bool has_register_tile() const { return !multiplies.empty(); }
  // Of a contraction: what does better for few rows, and for how many tiles of rows at most.
  std::string_view few = {};
  int few_tiles = 0;

  // Of a contraction: the call is told how the right operand is fetched, as the machine does it for one row, or for one
  // register tile of rows.
  bool is_streamed = false;

  // The operand whose outermost axis may have any distance in memory, by its name in the form, or "0" of what has none;
  // the axes inside of it are contiguous.
  std::string_view strided = {};

  // What it keeps in scratch memory. What leaves of one op call by the same name is the same.
  std::vector<LeafBuffer> buffers = {};

  // The leaves that compute the op together, each behind the one before it; empty: it is computed by this one.
  std::vector<std::string_view> parts = {};

  // Whether its operands may lie in buffers, of which each has a tile (schedule/copied_tree.h); the words of an
  // encoding, and what it lists beside them, are one piece.
  bool takes_copies = true;

  // Of an op whose reduction threads may share, each a part of it: the leaf in place of the last part, which combines
  // what they have summed; empty: none may.
  std::string_view combine = {};

  // What it is declared in, beside tensor/tensor.h; empty: nothing.
  std::string_view header = {};

  // The call, in C++ with names in braces that the code generator replaces (codegen/leaf_code.h).
  std::string_view code = {};
};

// Whether its call writes the op's result; other leaves of an op leave something in its buffers.
bool writes_result(const Leaf& leaf);

// The first leaf that takes the op; nullptr: there is no code for it, and no plan may hold it.
const Leaf* find_leaf(const Signature& signature);
const Leaf* find_leaf(const ir::Op& op, std::span<const ir::TensorType> operands, const ir::Attributes& attributes,
                      const ir::TensorType& result);

// Whether the result can be another value's memory: an op that only names elements of its operand.
bool is_view(const ir::Op& op, std::span<const ir::TensorType> operands, const ir::Attributes& attributes,
             const ir::TensorType& result);

// By its name, which must be one.
const Leaf& leaf(std::string_view name);

std::span<const Leaf> all_leaves();

// The lanes of the op's own loops: those of the operands' pack; 1 for scalar code.
std::int64_t loop_lanes(std::span<const ir::TensorType> operands);

}  // namespace strata::cost
