// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cost/tiled_product.h"
#include "cost/traffic.h"
#include "ir/op.h"
#include "machine/cost.h"
#include "machine/machine.h"

namespace strata::cost {

struct Leaf;

// Where an operand comes from when an op starts.
enum class Residence {
  kActivation,  // another op has written it: the innermost level that holds what was touched since
  kStream,      // a weight or a cache, read once per step: the outermost level
  kRegion,      // the tile tree that the op is in has just made it: the level where it keeps it
};

// What a region's tree keeps in registers is at no level.
inline constexpr int kRegisters = -1;

struct Operand {
  ir::TensorType type;
  Residence residence = Residence::kActivation;
  Traffic since = {};      // what other ops have touched since it was made
  int level = kRegisters;  // kRegion
};

// A run of an op.
struct Run {
  Sizes sizes = {};
  int threads = 1;
  int barriers = 0;          // that are counted to it
  bool is_only_one = false;  // of its code in a step, which comes from memory then; that of a layer from a cache
  // Of a contraction's tree; none: those of its default tree (product_tiles), shared by rows where that is faster.
  std::optional<ProductTiles> tiles = {};
  // Of an attention's tree: into how many the keys are divided, whose barrier is in `barriers`; none: the fastest
  // number for these sizes and threads (split_candidates), and its barrier comes on top.
  std::optional<std::int64_t> parts = {};

  // Of an op that shares a tile tree with others.
  bool continues = false;             // it is not the first of them
  std::optional<double> pieces = {};  // into which the tree divides it
  std::optional<int> kept_at = {};    // the level of what it makes
};

// What one op takes.
struct OpCost {
  double seconds = 0;  // by the roofline: the slowest of the units and levels, and the overhead of an op
  std::string bound;   // what the roofline says limits it: a unit or a level
};

// What it does, however it is done.
struct OpWork {
  double flops = 0;  // arithmetic as written down, a multiply-add counts as two
  double bytes = 0;  // read and written at least once
};

// Predicted from the op's loops, the layouts and the machine alone (roofline of Williams, Waterman and Patterson 2009,
// with the caches' traffic of the tiles that the leaves use). Infinite when no leaf (cost/leaf.h) takes
// the op. The search and the plan's report both call this one.
OpCost op_cost(const ir::Op& op, std::span<const Operand> operands, const ir::Attributes& attributes,
               const ir::TensorType& result, const machine::Machine& machine, const Run& run);

// The same of a leaf that takes it.
OpCost leaf_cost(const Leaf& leaf, const ir::Op& op, std::span<const Operand> operands,
                 const ir::Attributes& attributes, const ir::TensorType& result, const machine::Machine& machine,
                 const Run& run);

OpWork op_work(const ir::Op& op, std::span<const Operand> operands, const ir::Attributes& attributes,
               const ir::TensorType& result, const Sizes& sizes);

// Whether plans for the machine may divide a reduction among threads.
bool splits_reductions(const machine::Machine& machine);

// Numbers of parts, 1 among them, in which a reduction is worth dividing for a team, where `tiles` are shared anyway:
// so many parts that each thread has at most one of all, and up to four. Where threads have as many tiles each, 1
// alone.
std::vector<std::int64_t> split_candidates(double tiles, int threads);

// Of a view that must be a copy after all.
OpCost copy_cost(const ir::TensorType& result, const machine::Machine& machine, const Run& run);
OpWork copy_work(const ir::TensorType& result, const Sizes& sizes);

}  // namespace strata::cost
