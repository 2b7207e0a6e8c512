// SPDX-License-Identifier: Apache-2.0
#include "cost/work_counter.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cost/product_tiles.h"
#include "ir/contraction.h"

namespace strata::cost {
using ir::TensorType;

double size_of(const ir::Dim& dim) { return static_cast<double>(dim.max()); }
double bytes_of(const TensorType& type) { return static_cast<double>(ir::max_bytes(type)); }
double elements_of(const TensorType& type) { return static_cast<double>(ir::max_element_count(type.shape)); }

TensorType sized(const TensorType& type, const Sizes& sizes) {
  TensorType result = type;
  for (ir::Dim& dim : result.shape) {
    if (dim.is_constant()) continue;
    const auto value = sizes.find(dim.symbol()->name);
    dim = dim.factor() * (value == sizes.end() ? dim.symbol()->max : value->second);
  }
  return result;
}

WorkCounter::WorkCounter(const ir::Op& op, std::span<const Operand> operands, const ir::Attributes& attributes,
                         const TensorType& result, const machine::Machine& machine, const Run& run)
    : op_(op),
      attributes_(attributes),
      machine_(machine),
      result_(sized(result, run.sizes)),
      kept_at_(run.kept_at),
      tiles_(run.tiles),
      parts_(run.parts.value_or(1)) {
  for (const Operand& operand : operands) {
    operands_.push_back({sized(operand.type, run.sizes), operand.residence, {}, operand.level});
    since_.push_back(std::max(operand.since.bytes(run.sizes), 0.0));
    types_.push_back(operands_.back().type);
    widest_.push_back(operand.type);
  }
  loops_ = op.loops(types_, attributes);
  work_.bytes.assign(machine.memory.size(), 0.0);
  work_.written.assign(machine.memory.size(), 0.0);
  work_.unit = machine::fma_unit(machine, DType::kF32);
  work_.threads = std::clamp(run.threads, 1, machine.cores);
  work_.barriers = run.barriers;
  if (run.continues) return;
  work_.starts = 1;
  // Streams of weights push code out of the core's own caches from one use to the next.
  extra_s_ = machine.core.cold_lines * machine.memory[shared_level()].latency_s +
             (run.is_only_one ? machine.memory.back().latency_s : 0);
}

// The innermost level outside of a core's own caches.
std::size_t WorkCounter::shared_level() const {
  const auto shared = std::ranges::find_if(machine_.memory, [](const auto& level) { return level.shared_by > 1; });
  return std::min(static_cast<std::size_t>(shared - machine_.memory.begin()), last_level());
}

void WorkCounter::exchange(double bytes) {
  const machine::MemoryLevel& level = machine_.memory[shared_level()];
  const double lines = bytes / static_cast<double>(level.line_bytes) / busy_threads();
  work_.bytes[shared_level()] += bytes;
  work_.written[shared_level()] += bytes;
  extra_s_ += level.latency_s * std::max(1.0, lines / machine_.core.misses_in_flight);
}

void WorkCounter::touch_scattered(double lines) {
  extra_s_ += lines * machine_.memory.back().latency_s / machine_.core.misses_in_flight / busy_threads();
}

void WorkCounter::walk_pages(double pages) {
  const machine::CoreCosts& core = machine_.core;
  extra_s_ += std::min(pages, core.pages_walked) * machine_.memory.back().latency_s / core.page_walks_in_flight;
}

void WorkCounter::add_instructions(double elements, double operations, double lanes_used) {
  work_.ops += elements * operations * lanes() / lanes_used;
}

void WorkCounter::use_unit(const machine::Unit& unit, double operations) {
  work_.unit = &unit;
  work_.ops += operations;
}

// The end of a reduction: its lanes combined pairwise, each step waiting for the one before (about four cycles, in
// which the unit could have started eight vector instructions; half of them are of the rows before and after).
void WorkCounter::add_reductions(double count, double lanes_used) {
  const double slots = machine_.core.reduction_step_slots;
  add_instructions(count * (2 + std::log2(lanes_used)) * slots * lanes(), 2.0, lanes());
}

void WorkCounter::read(std::size_t operand, double bytes) {
  const Operand& from = operands_[operand];
  if (from.residence == Residence::kStream) {
    work_.bytes[last_level()] += bytes;
  } else if (from.residence == Residence::kRegion) {
    if (from.level != kRegisters) work_.bytes[static_cast<std::size_t>(from.level)] += bytes;
  } else {
    // What comes from further out passes the level that would hold it otherwise.
    std::vector<double> near(work_.bytes.size(), 0.0);
    std::vector<double> far = near;
    add_activation_bytes(near, bytes, 0);
    add_activation_bytes(far, bytes, since_[operand]);
    for (std::size_t level = 0; level < near.size(); ++level) work_.bytes[level] += std::max(near[level], far[level]);
  }
}

// A line is read before it is written, and written back later; a measured rate of writing says both.
void WorkCounter::write(double bytes) {
  if (kept_at_) {
    if (*kept_at_ != kRegisters) work_.written[static_cast<std::size_t>(*kept_at_)] += bytes;
    return;
  }
  add_activation_bytes(work_.written, bytes, 0);
  std::vector<double> lines(work_.bytes.size(), 0.0);
  add_activation_bytes(lines, bytes, 0);
  for (std::size_t level = 1; level < lines.size(); ++level) {
    if (!is_copied() && machine_.memory[level].write_bytes_per_s.empty()) work_.bytes[level] += lines[level];
  }
}

void WorkCounter::need_buffers(double bytes) {
  if (is_copied() && bytes > static_cast<double>(machine_.memory.front().capacity_bytes))
    extra_s_ = std::numeric_limits<double>::infinity();
}

void WorkCounter::read_again(const Reuse& reuse, int innermost) {
  int level = machine::level_holding(machine_, reuse.footprint, busy_threads());
  const auto outside = static_cast<int>(shared_level());
  if (reuse.shared > 0 && level >= outside) level = std::max(machine::level_holding(machine_, reuse.shared), outside);
  if (level >= innermost) work_.bytes[static_cast<std::size_t>(level)] += reuse.bytes;
}

void WorkCounter::read_by(std::size_t operand, int threads) {
  if (operands_[operand].residence != Residence::kStream || threads >= busy_threads()) return;
  const machine::MemoryLevel& level = machine_.memory.back();
  const double rate = machine::bandwidth(level, busy_threads()) / machine::bandwidth(level, std::max(threads, 1));
  work_.bytes[last_level()] += bytes_of(types_[operand]) * std::max(rate - 1, 0.0);
}

namespace {

TiledProduct product_of(const WorkCounter& counter, std::span<const TensorType> types) {
  return tiled_product(counter.machine(), types, *ir::contraction(*counter.loops()));
}

}  // namespace

TiledProduct WorkCounter::tiled() const { return product_of(*this, types_); }

ProductTiles WorkCounter::tiles() const {
  return tiles_ ? *tiles_ : product_tiles(machine_, product_of(*this, widest_));
}

void WorkCounter::wait_for(std::size_t operand, double bytes) {
  if (operands_[operand].residence != Residence::kStream) return;
  extra_s_ += bytes / machine::bandwidth(machine_.memory.back(), busy_threads());
}

void WorkCounter::add_activation_bytes(std::vector<double>& levels, double bytes, double since) const {
  const double footprint = activation_bytes() + since;
  double found = 0;  // part of the bytes that inner levels hold
  // Nothing stays in a managed level for the next op.
  for (std::size_t level = is_copied() ? 1 : 0; level <= last_level() && found < 1; ++level) {
    const machine::MemoryLevel& cache = machine_.memory[level];
    const double share = static_cast<double>(cache.capacity_bytes) / std::max(cache.shared_by, 1) * busy_threads();
    const double reused = cache.shared_by > 1 ? machine_.core.reused_of_shared : machine_.core.reused_share;
    const double here = level == last_level() ? 1 : std::min(1.0, reused * share / footprint);
    // What doesn't fit whole is passed over in order, and each line is gone before it is used again.
    const bool holds = here == 1 || level + 1 == last_level();
    if (!holds) continue;
    levels[level] += bytes * (here - found);
    found = here;
  }
}

double WorkCounter::activation_bytes() const {
  double bytes = kept_at_ ? 0 : bytes_of(result_);
  for (const Operand& operand : operands_) {
    if (operand.residence == Residence::kActivation) bytes += bytes_of(operand.type);
  }
  return bytes;
}

// The slowest level or unit, by name.
std::string WorkCounter::bound() const {
  std::string slowest = work_.unit == nullptr ? "" : work_.unit->name;
  const int threads = busy_threads();
  double longest = work_.unit == nullptr ? 0 : work_.ops / work_.unit->ops_per_s / threads;
  for (std::size_t level = 0; level < work_.bytes.size(); ++level) {
    const double time = work_.bytes[level] / machine::bandwidth(machine_.memory[level], threads) +
                        work_.written[level] / machine::write_bandwidth(machine_.memory[level], threads);
    if (time <= longest) continue;
    longest = time;
    slowest = machine_.memory[level].name;
  }
  return slowest;
}

OpCost WorkCounter::cost() const { return {machine::seconds(machine_, work_) + extra_s_, bound()}; }

}  // namespace strata::cost
