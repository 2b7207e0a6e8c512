// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "machine/machine.h"

namespace strata::calibrate {

struct CalibrateOptions {
  int threads = 0;      // the most that measure together; 0: one per core that this process may use
  double seconds = 15;  // for two rounds of all measurements, beside compiling the loops and touching memory
  std::filesystem::path earlier =
      {};                         // a machine file with the figures to keep where none can be measured; may be missing
  std::int64_t memory_bytes = 0;  // of each thread's buffer; 0: 512 MiB or four times its part of the outermost cache
};

// Called with what is measured and the fraction done in [0, 1]; may throw to give up.
using Progress = std::function<void(std::string_view stage, double done)>;

struct Calibrated {
  machine::Machine machine;
  std::vector<std::string> kept;  // figures that were measured without coming to rest: the earlier ones stand
  int rounds = 0;
  double steal_share = 0;  // of the processors' time, which other guests of the host took meanwhile
  long involuntary_switches = 0;
};

// The machine that this process runs on, as machine::native() detects it, with what can be measured in its place:
// bandwidth of each memory level for 1, 2, 4 ... threads and all of them, latency of each level, the rate of each unit,
// the barrier of all cores, the overhead of an op, the fastest way to stream weights. What can't be measured (a unit
// that tensor/probe.h has no loop for, more threads than are allowed, DRAM where too little memory is free) stays as
// in the earlier file or as detected, or in that proportion to what was measured. Each figure is measured in two
// rounds, and in up to kMostRounds until undisturbed readings agree (calibrate/settle.h). Throws toolchain_error
// without a compiler.
Calibrated calibrate(const CalibrateOptions& options, const Progress& progress = {});

// Of ways to stream weights and the seconds that each took, the fastest per size of element; one that comes later in
// the list must gain a hundredth.
std::vector<machine::Stream> fastest_streams(const std::vector<machine::Stream>& candidates,
                                             const std::vector<double>& seconds);

}  // namespace strata::calibrate
