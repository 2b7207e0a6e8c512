// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "buffer/buffer_plan.h"

namespace strata::buffer {

// Which thread touches which part of a memory, as far as the tile tree and the addresses say.
struct Share {
  enum class Kind {
    kAny,      // not known: any thread may touch any of it
    kFirst,    // thread 0 touches all that is touched
    kDivided,  // unit i of `extent`, which threads share in steps, is in bytes [begin, end) + i * stride
  };
  Kind kind = Kind::kAny;
  ir::Dim extent = 1;
  std::int64_t step = 1;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t stride = 0;
};

// A memory that an op reads or writes.
struct Touch {
  Place place;
  bool is_written = false;
  Share share;
};

// What the code of an op touches, beside weights and memory of each thread; an operand once for every access. Of a call
// only its arguments and results are known.
std::vector<Touch> touches(const schedule::ScheduledOp& op, const FunctionPlan& plan);

// Whether they touch one memory, not both reading it.
bool conflict(const Touch& a, const Touch& b);

// Whether one thread may see what another one does: they meet in one memory, not both reading it.
bool meet(const Touch& a, const Touch& b);

// Those of an op; of a call none.
std::vector<Touch> shared_touches(const schedule::ScheduledOp& op, const FunctionPlan& plan);

// What ops have touched since the last barrier.
class Unfinished {
 public:
  // Whether all must have come before this op, which touches these, begins: one that is called may touch anything.
  bool meets(const schedule::ScheduledOp& op, const std::vector<Touch>& touched) const;
  bool is_empty() const { return touched_.empty(); }

  void finish() { touched_.clear(); }
  // What an op touches; all that came before is finished where its threads wait inside of it.
  void add(const schedule::ScheduledOp& op, const std::vector<Touch>& touched);

 private:
  std::vector<Touch> touched_;
};

}  // namespace strata::buffer
