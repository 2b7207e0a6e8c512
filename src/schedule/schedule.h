// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cost/op_cost.h"
#include "ir/expr.h"
#include "machine/machine.h"
#include "schedule/strided_nest.h"
#include "schedule/tile_tree.h"
#include "schedule/view.h"

namespace strata::schedule {

// A stage of a region's nest that a leaf computes: what a part of the region makes that is a product, or columns of it.
struct ProductStage {
  int stage = 0;
  std::size_t part = 0;     // of ScheduledOp::parts
  ir::Contraction of;       // the part's, with the iterators of the region's nest
  std::int64_t column = 0;  // of the product, where the stage's first one is
  std::int64_t unit = 1;    // columns for each step of the iterator that cuts them, such as those of a head

  // The least steps of that iterator that are whole groups of so many columns.
  std::int64_t steps(std::int64_t columns) const { return std::lcm(columns, unit) / unit; }
};

struct NumberedProduct;

// An op, or a region of several ops that one tile tree computes: the last one of them, with the others as its parts.
struct ScheduledOp {
  const ir::Expr* value = nullptr;
  const cost::Leaf* leaf = nullptr;            // what makes it; nullptr: a call of another function
  std::optional<StridedNest> nest;             // of the ops that have loops of their own
  std::vector<const ir::Expr*> inputs;         // what the nest reads, by operand
  std::vector<const ir::Expr*> made;           // by stage of the nest: the value whose elements it gives; nullptr: none
  std::optional<ir::Contraction> contraction;  // where the leaf is of one
  std::optional<ir::AttentionForm> attention;  // the same
  std::shared_ptr<const NumberedProduct> one;  // of a product by number: that of one matrix (numbered_tree.h)
  ir::FormOperands form;                       // what the operands are to the form of the op's loops
  int rows = 0;                                // the tree's iterator that is the leaf's own loop, if it has one
  int columns = -1;                            // the one that cuts the rows that it takes; -1: it takes whole rows
  TileTree tree;                               // empty for views, for calls, and for what another op's tree computes
  std::vector<cost::Operand> sources;          // the operands as the cost model takes them
  int barriers = 0;                            // counted to it: those in its tree, and the one behind it
  double predicted_s = 0;                      // from the machine's roofline, at the largest sizes
  bool runs_once = false;                      // in a step: its code comes from memory, that of a layer from a cache
  bool copies_view = false;                    // it would be a view, but something reads it that needs a copy
  View view;                                   // of a view
  std::vector<View> operands;                  // how each lies in memory; none for calls
  std::vector<ScheduledOp> parts;         // of a region, in order: each op as it is by itself; the last is this one
  std::vector<ProductStage> products;     // of a region: stages that leaves of its parts compute
  const ir::Expr* computed_in = nullptr;  // the op whose tree computes this one; nullptr: its own

  bool is_call() const { return leaf == nullptr; }  // its tree has barriers alone
  bool is_view() const { return leaf != nullptr && leaf->domain == cost::Leaf::Domain::kView; }
  bool has_code() const { return !is_view() && computed_in == nullptr; }

  // Whether it computes this value, alone or in a region.
  bool makes(const ir::Expr* of) const;
};

// So many runs of a function at run-time sizes.
struct SizedRuns {
  double runs = 1;
  cost::Sizes sizes = {};
};

// A function's ops in the order in which they run; constants (ir/constants.h) are stored, not run.
struct ScheduledFunction {
  const ir::Function* function = nullptr;
  std::vector<ScheduledOp> ops = {};
  TileTree end = {};                 // behind the last op
  std::vector<SizedRuns> runs = {};  // of the workload; none are known: its trees are for the largest sizes

  // Predicted seconds, calls included.
  double predicted_s = 0;

  // Of its own ops, without calls.
  double own_seconds() const;
};

// The default schedule: every op is a region of its own, in program order. An op's own loops run their common iterators
// outside, the outermost one that is longer than one step divided among the threads, and the last iterator in vector
// lanes. A contraction divides the right operand's panels among the threads, so that each streams a contiguous share of
// the weights, in register tiles that the machine's registers hold, inside of blocks that its caches hold. Slices,
// transposes and reshapes are views where everything that reads them can read with strides, and copies otherwise.
// Times are predicted for a team of `threads`.
std::vector<ScheduledFunction> default_schedule(const ir::Module& module, const machine::Machine& machine,
                                                int threads = 1);

// Puts a function's ops, each alone and without barriers, into another order, by their numbers; what each reads is then
// as long ago as that order says, and its time is predicted anew. `callees` has all functions that are called.
void reorder(ScheduledFunction& function, const std::vector<std::size_t>& order, const cost::FunctionTraffic& callees,
             const machine::Machine& machine, int threads);

// Counts the barriers that the trees have to the ops, each to the one that others wait for; and predicts the times of
// all by that. Functions come behind those that they call.
void predict(std::vector<ScheduledFunction>& functions, const machine::Machine& machine, int threads);

// What a leaf's part of an iterator is a multiple of: of a contraction row tiles of m, and whole groups of every
// encoding along k; row tiles of a leaf that makes them; of an attention's keys lanes.
std::int64_t block_unit(const ScheduledOp& op, int iterator);

// The scratch memory that the leaf of this node needs, buffer by buffer, where it meets so many steps of each iterator
// at most.
std::vector<cost::Scratch> scratch_of(const ScheduledOp& op, const TileNode& compute,
                                      std::span<const std::int64_t> extents, const machine::Machine& machine);

std::vector<ir::TensorType> operand_types(const ScheduledOp& op);

// The part of a region that makes a product, with the iterators of the region.
ScheduledOp product_part(const ScheduledOp& region, const ProductStage& product);

// A buffer that holds this, in the innermost memory level that it fits.
TileNode buffer_node(std::string_view name, const cost::Scratch& holds, const machine::Machine& machine);

// The tree that it gives an op. Of a region: what its stages share outside, each stage beside those that run through
// the same loops. Elements that later loops read again, and nothing outside of the region, are kept in a buffer, and
// those that are read at once in lanes alone; `leaving`: the parts' values that others read. Products come first in
// each part of the columns, in blocks that the caches hold, and the other stages behind them while their tile is there.
TileTree default_tree(const ScheduledOp& op, const machine::Machine& machine,
                      const std::vector<const ir::Expr*>& leaving = {});

}  // namespace strata::schedule
