// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

#include "machine/machine.h"

namespace strata::machine {

// The machine that this process runs on: instruction sets from the processor, caches, cores and memory from the
// operating system, rates from a machine file that names this processor, or else from lanes x nominal frequency. Says
// the same in every run on one machine, whatever the affinity of the process and the clock of the moment. Where there
// is a calibration file of this machine, its rates and times (memory levels, units, barrier, op overhead, storage)
// replace the derived ones.
Machine native();

// As native(), with the calibration file given; an empty path or a missing file means none. A file that describes
// another machine (arch, features, cores) is ignored; throws model_error for a malformed one.
Machine native(const std::filesystem::path& calibration);

// machine.json in the cache folder; empty when there is none.
std::filesystem::path calibration_path();

// Where the operating system describes the hardware.
struct SystemPaths {
  std::filesystem::path cpu = "/sys/devices/system/cpu";
  std::filesystem::path cpuinfo = "/proc/cpuinfo";
  std::filesystem::path meminfo = "/proc/meminfo";
};

// The parts of detection that don't depend on the instruction set.
int physical_cores(const SystemPaths& paths);
std::vector<MemoryLevel> memory_levels(const SystemPaths& paths, int cores, int vector_bytes, double hertz);
double nominal_hertz(const SystemPaths& paths);

// The machine file that names the processor described there.
std::optional<Machine> machine_of(const SystemPaths& paths);

// What a core does on a machine of the same processor: rates of the units, bandwidth and latency of the memory levels
// as one core sees them, streams, the overhead of an op. Several threads keep their proportion to one.
void take_core_rates(Machine& machine, const Machine& known);

}  // namespace strata::machine
