// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "codegen/program.h"
#include "machine/machine.h"

namespace strata::compile {

// Candidates for the code of one op, to be run against one another on the machine.
struct Contest {
  // A tensor that each of them reads or writes.
  struct Memory {
    DType dtype = DType::kF32;
    std::int64_t bytes = 0;
    bool is_streamed = false;  // each run finds it in the outermost memory
    bool is_zero = false;      // of zeros: others hold numbers of about 1
  };

  const machine::Machine* machine = nullptr;
  int threads = 1;
  std::vector<codegen::Unit> units;
  std::vector<std::string> symbols;  // of the candidates' C functions (package::Entry), the predicted best one first
  std::vector<Memory> parameters;
  std::vector<std::int64_t> sizes;  // run-time sizes, as the functions take them
  std::int64_t arena_bytes = 0;
  std::int64_t scratch_bytes = 0;  // of a thread
  double share = 1;                // of what is left of the time, for this one
};

// Seconds by candidate and round: in each round each of them ran once. Nothing: there is no time left.
using Rounds = std::vector<std::vector<double>>;
using Measure = std::function<Rounds(const Contest& contest)>;

// The median of the rounds of each candidate.
std::vector<double> median_seconds(const Rounds& rounds);

// The candidate to keep: the first one, unless another is faster by more than the noise, in three quarters of the
// rounds and by a hundredth in the median of the rounds' ratios; of several the one with the least median. Fewer than
// kFewestRounds tell nothing.
inline constexpr std::size_t kFewestRounds = 5;
std::size_t fastest_candidate(const Rounds& rounds);

}  // namespace strata::compile
