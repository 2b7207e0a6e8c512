// SPDX-License-Identifier: Apache-2.0
#include "machine/cost.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <map>

#include "base/error.h"

namespace strata::machine {

namespace {

double rate_of(const std::map<int, double>& table, int shared_by, int threads) {
  STRATA_CHECK(table.contains(1) && threads >= 1, "bandwidth of a level without figures");
  const auto above = table.lower_bound(threads);
  if (above == table.end()) {
    const auto [count, rate] = *table.rbegin();
    return shared_by == 1 ? rate * threads / count : rate;
  }
  if (above->first == threads) return above->second;
  const auto below = std::prev(above);
  const double part = static_cast<double>(threads - below->first) / (above->first - below->first);
  return below->second + part * (above->second - below->second);
}

// Of one core.
double unit_seconds(const Unit* unit, double ops) {
  if (ops == 0) return 0;
  STRATA_CHECK(unit != nullptr, "operations need a unit");
  return ops / unit->ops_per_s;
}

// What the C library computes, one lane at a time.
bool is_computed_by_lane(const std::string& function) {
  return function == "log" || function == "sin" || function == "cos" || function == "erf";
}

}  // namespace

double bandwidth(const MemoryLevel& level, int threads) {
  return rate_of(level.read_bytes_per_s, level.shared_by, threads);
}

double write_bandwidth(const MemoryLevel& level, int threads) {
  return rate_of(level.write_bytes_per_s.empty() ? level.read_bytes_per_s : level.write_bytes_per_s, level.shared_by,
                 threads);
}

double seconds(const Machine& machine, const Work& work) {
  STRATA_CHECK(std::max(work.bytes.size(), work.written.size()) <= machine.memory.size(),
               "work names more memory levels than the machine has");
  const int team = std::clamp(work.threads, 1, machine.cores);
  const int threads = busy_threads(work.pieces, team);
  // Of the thread with the most pieces, in parts of an equal share.
  const double load = work.pieces > 0 ? std::ceil(work.pieces / team) * threads / work.pieces : 1;
  double arithmetic = unit_seconds(work.unit, work.ops);
  for (const UnitWork& part : work.more) arithmetic += unit_seconds(part.unit, part.ops);
  double slowest = arithmetic / threads * load;
  double sum = slowest;
  for (std::size_t level = 0; level < machine.memory.size(); ++level) {
    const double read = level < work.bytes.size() ? work.bytes[level] : 0;
    const double written = level < work.written.size() ? work.written[level] : 0;
    if (read == 0 && written == 0) continue;
    const double time = load * (read / bandwidth(machine.memory[level], threads) +
                                written / write_bandwidth(machine.memory[level], threads));
    slowest = std::max(slowest, time);
    sum += time;
  }
  return slowest + machine.contention * (sum - slowest) + work.starts * machine.op_overhead_s +
         (team > 1 ? work.barriers * machine.barrier_s : 0.0);
}

int busy_threads(double pieces, int team) {
  return pieces > 0 && pieces < team ? std::max(1, static_cast<int>(pieces)) : team;
}

double scalar_operations(const Machine& machine, const std::string& function, int lanes) {
  const auto slots = machine.core.scalar_slots.find(function);
  STRATA_CHECK(slots != machine.core.scalar_slots.end(), "the cost of " + function + " is not known");
  return 2 * slots->second * (is_computed_by_lane(function) ? lanes : 1);
}

double decode_slots(const Machine& machine, const std::string& encoding, double instructions) {
  const auto slots = machine.core.decode_slots.find(encoding);
  return slots == machine.core.decode_slots.end() ? instructions : slots->second;
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

const MemoryLevel* managed_level(const Machine& machine) {
  return !machine.memory.empty() && machine.memory.front().managed ? &machine.memory.front() : nullptr;
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

namespace {

Stream found_or(const std::vector<Stream>& streams, const Stream& otherwise) {
  const auto found = std::ranges::find(streams, otherwise.element_bits, &Stream::element_bits);
  return found == streams.end() ? otherwise : *found;
}

}  // namespace

Stream stream(const Machine& machine, int element_bits) { return found_or(machine.streams, {element_bits}); }

Stream tile_stream(const Machine& machine, int element_bits) {
  constexpr int kL2 = 2;  // as __builtin_prefetch has it
  return found_or(machine.tile_streams, {element_bits, 1, Stream().ahead_bytes, kL2});
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

int own_cache(const Machine& machine) {
  std::size_t level = 0;
  while (level + 2 < machine.memory.size() && machine.memory[level + 1].shared_by == 1) ++level;
  return static_cast<int>(level);
}

CacheBlock cache_block(const Machine& machine, int element_bytes) {
  const int level = own_cache(machine);
  const std::int64_t capacity = machine.memory[static_cast<std::size_t>(level)].capacity_bytes;
  const RegisterTile tile = register_tile(machine);
  const std::int64_t depth = capacity / 8 / (tile.panels * vector_lanes(machine, DType::kF32) * element_bytes);
  const std::int64_t whole = std::max(depth / kDepthUnit, std::int64_t{1}) * kDepthUnit;
  const std::int64_t rows = capacity / 16 * 9 / (whole * element_bytes);
  return {std::max<std::int64_t>(rows / tile.rows, 1) * tile.rows, whole, level};
}

AttentionBlock attention_block(const Machine& machine, std::int64_t rows) {
  constexpr std::int64_t kTiles = 4;
  const auto capacity = static_cast<std::uint64_t>(machine.memory.front().capacity_bytes) / sizeof(float);
  const std::int64_t used = std::clamp(rows, std::int64_t{1}, kTiles * attention_tile(machine).rows);
  const std::uint64_t keys = std::bit_floor(std::max<std::uint64_t>(capacity / static_cast<std::uint64_t>(used), 1));
  const auto lanes = static_cast<std::int64_t>(vector_lanes(machine, DType::kF32));
  return {used, std::max(static_cast<std::int64_t>(keys), lanes)};
}

RegisterTile attention_tile(const Machine& machine) {
  return {static_cast<int>(std::bit_floor(std::max(machine.vector_registers.count / 4U, 1U))), 2};
}

}  // namespace strata::machine
