// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cost/op_cost.h"
#include "ir/expr.h"
#include "machine/machine.h"
#include "schedule/strided_nest.h"
#include "schedule/view.h"

namespace strata::schedule {

// One loop of a tile tree, outermost first. A loop of `step` > 1 leaves a tile of that extent to the loops inside.
struct TileLoop {
  enum class Kind {
    kParallel,  // divided among the threads of the team, each a contiguous share
    kSerial,
    kVector,       // `step` lanes at a time
    kMicroKernel,  // unrolled in the tensor library's micro-kernel, in registers
  };
  Kind kind = Kind::kSerial;
  int iterator = 0;
  std::string name;  // of the iterator
  ir::Dim extent;
  std::int64_t step = 1;
};

// How the code generator makes an op.
enum class Form {
  kView,      // no code: another value's memory
  kLoops,     // the op's own loops, from its declaration
  kContract,  // packed matmul: micro-kernels of the tensor library
  kKernel,    // an op with a hand-written kernel
  kCall,      // another function
};

// A matmul as its micro-kernel sees it: register tile and what it multiplies.
struct ContractTile {
  std::int64_t rows = 1;         // of the left operand at a time
  std::int64_t panels = 1;       // vectors of the right operand at a time
  std::int64_t ahead_bytes = 0;  // with one row: how far the right operand is fetched ahead, and how long it is kept
  int locality = 0;              // (machine::Stream)
};

struct ScheduledOp {
  const ir::Expr* value = nullptr;
  Form form = Form::kLoops;
  std::vector<TileLoop> loops;         // empty for views, kernels and calls
  std::optional<StridedNest> nest;     // for kLoops
  ContractTile tile;                   // for kContract
  std::int64_t lanes = 1;              // for kLoops: of the loop that runs in vector lanes
  std::vector<cost::Operand> sources;  // the operands as the cost model takes them
  double predicted_s = 0;              // by one thread, from the machine's roofline
  bool runs_once = false;              // in a step: its code comes from memory, that of a layer from a cache
  View view;                           // for kView
  std::vector<View> operands;          // how each lies in memory; none for calls
};

// A function's ops in the order in which they run; constants (ir/constants.h) are stored, not run.
struct ScheduledFunction {
  const ir::Function* function = nullptr;
  std::vector<ScheduledOp> ops;

  // Predicted seconds, calls included.
  double predicted_s = 0;
};

// Dumped and shown by `explain`: one line per op with its loops.
std::string to_text(const ScheduledFunction& function);

// The default schedule: every op is a region of its own, in program order. A structured op runs its common iterators
// outside, the outermost one that is longer than one step divided among the threads, and its last iterator in vector
// lanes. A packed matmul divides the right operand's panels among the threads, so that each streams a contiguous share
// of the weights, and takes the register tile that the machine's registers hold. Slices, transposes and reshapes are
// views where everything that reads them can read with strides, and copies otherwise.
std::vector<ScheduledFunction> default_schedule(const ir::Module& module, const machine::Machine& machine);

}  // namespace strata::schedule
