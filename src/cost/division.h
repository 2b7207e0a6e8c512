// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cost/leaf.h"
#include "cost/work_counter.h"

namespace strata::cost {

// Which thread has which part of a tensor in its hands, as far as the op's declaration and its leaf say. Where an op
// reads as its operand was made, no thread waits for another one.
struct Share {
  enum class Kind {
    kAny,      // not known
    kFirst,    // the first thread has all
    kDivided,  // unit i of `extent`, `stride` bytes behind the one before, is a thread's; threads share them in steps
  };
  Kind kind = Kind::kAny;
  double extent = 1;
  double step = 1;
  double stride = 0;

  // Every thread finds what it made itself.
  bool fits(const Share& other) const {
    return kind != Kind::kAny && kind == other.kind && extent == other.extent && step == other.step &&
           stride == other.stride;
  }
};

// How threads divide an op: by the parallel loop that the default tile tree gives the leaf (schedule::default_tree),
// whose operands have memory of their own.
struct Division {
  double pieces = 1;  // 1: one thread does all of it
  Share result = {};
  std::vector<Share> operands = {};
};

Division division(const WorkCounter& counter, const Leaf& leaf);

// Its pieces alone.
double pieces(const WorkCounter& counter, const Leaf& leaf);

}  // namespace strata::cost
