// SPDX-License-Identifier: Apache-2.0
#include "machine/cost.h"

#include <algorithm>

#include "base/error.h"

namespace strata::machine {

double bandwidth(const MemoryLevel& level, int threads) {
  const auto& table = level.read_bytes_per_s;
  STRATA_CHECK(table.contains(1) && threads >= 1, "bandwidth of a level without figures");
  const auto above = table.lower_bound(threads);
  if (above == table.end()) {
    const auto [count, rate] = *table.rbegin();
    return level.shared_by == 1 ? rate * threads / count : rate;
  }
  if (above->first == threads) return above->second;
  const auto below = std::prev(above);
  const double part = static_cast<double>(threads - below->first) / (above->first - below->first);
  return below->second + part * (above->second - below->second);
}

double seconds(const Machine& machine, const Work& work) {
  STRATA_CHECK(work.bytes.size() <= machine.memory.size(), "work names more memory levels than the machine has");
  STRATA_CHECK(work.ops == 0 || work.unit != nullptr, "operations need a unit");
  const int threads = std::clamp(work.threads, 1, machine.cores);
  double slowest = work.ops == 0 ? 0.0 : work.ops / (work.unit->ops_per_s * threads);
  for (std::size_t level = 0; level < work.bytes.size(); ++level) {
    slowest = std::max(slowest, work.bytes[level] / bandwidth(machine.memory[level], threads));
  }
  return slowest + (threads > 1 ? work.barriers * machine.barrier_s : 0.0);
}

int level_holding(const Machine& machine, double bytes, int threads) {
  const int last = static_cast<int>(machine.memory.size()) - 1;
  for (int index = 0; index < last; ++index) {
    const MemoryLevel& level = machine.memory[static_cast<std::size_t>(index)];
    const int instances = (std::max(threads, 1) + level.shared_by - 1) / level.shared_by;
    if (bytes <= static_cast<double>(level.capacity_bytes) * instances) return index;
  }
  return last;
}

int vector_lanes(const Machine& machine, DType dtype) {
  return std::max(1, machine.vector_registers.bytes / static_cast<int>(dtype_size(dtype)));
}

const Unit* dot_unit(const Machine& machine, DType dtype) {
  for (const Unit& unit : machine.units) {
    if (unit.dtype == dtype && unit.k > 1) return &unit;
  }
  return nullptr;
}

const Unit* fma_unit(const Machine& machine, DType dtype) {
  for (const Unit& unit : machine.units) {
    if (unit.dtype == dtype && unit.k == 1) return &unit;
  }
  return nullptr;
}

RegisterTile register_tile(const Machine& machine) {
  const int registers = machine.vector_registers.count;
  RegisterTile best;
  double fewest_loads = 1e9;
  for (int panels = 1; 2 * panels + 1 <= registers; panels *= 2) {
    const int rows = (registers - 1 - panels) / panels;
    const double loads = static_cast<double>(rows + panels) / (rows * panels);
    if (loads < fewest_loads) {
      best = {rows, panels};
      fewest_loads = loads;
    }
  }
  return best;
}

}  // namespace strata::machine
