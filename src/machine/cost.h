// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "machine/machine.h"

namespace strata::machine {

// What an op does, for its predicted time.
struct Work {
  double ops = 0;                  // on `unit`; a multiply-add counts as two
  const Unit* unit = nullptr;      // may be null when ops is 0
  std::vector<double> bytes = {};  // read or written at each level, as Machine::memory; missing ones are 0
  int threads = 1;
  int barriers = 0;
};

// Roofline (Williams, Waterman, Patterson 2009): units and levels work at the same time, so the slowest of them is the
// time; barriers come on top. Seconds.
double seconds(const Machine& machine, const Work& work);

// Bytes per second that `threads` threads read together. Between the measured counts it is interpolated; beyond the
// last one, a level that each core has for itself grows with the threads and a shared one stays.
double bandwidth(const MemoryLevel& level, int threads);

// Index of the innermost level that holds `bytes`, by `threads` cores together; the last level holds everything.
int level_holding(const Machine& machine, double bytes, int threads = 1);

// Lanes of one vector register; at least 1.
int vector_lanes(const Machine& machine, DType dtype);

// The unit for operands of this type that sums several products per lane; nullptr when there is none.
const Unit* dot_unit(const Machine& machine, DType dtype);

// The plain multiply-add unit for operands of this type; nullptr when there is none.
const Unit* fma_unit(const Machine& machine, DType dtype);

// A matmul micro-kernel's accumulators: `rows` of the left operand x `panels` vectors of the right one.
struct RegisterTile {
  int rows = 1;
  int panels = 1;
};

// The tile with the most f32 operations per byte loaded, among those whose accumulators, right vectors and one
// broadcast fit the registers (rows * panels + panels + 1) and whose loads are at most 3/4 of their multiply-adds, so
// that the load ports don't bound them: 14 x 2 of 32 registers of 64 bytes, 6 x 2 of 16 registers. With too few
// registers for that, the tile with the fewest loads per multiply-add.
RegisterTile register_tile(const Machine& machine);

}  // namespace strata::machine
