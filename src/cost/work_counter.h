// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "cost/op_cost.h"
#include "cost/tiled_product.h"
#include "ir/op.h"
#include "machine/cost.h"

namespace strata::cost {

// Symbols at the value that the cost is wanted for.
ir::TensorType sized(const ir::TensorType& type, const Sizes& sizes);

double size_of(const ir::Dim& dim);
double bytes_of(const ir::TensorType& type);
double elements_of(const ir::TensorType& type);

// Adds up what one op does on a machine: arithmetic by unit, bytes by memory level, and what nothing overlaps.
class WorkCounter {
 public:
  WorkCounter(const ir::Op& op, std::span<const Operand> operands, const ir::Attributes& attributes,
              const ir::TensorType& result, const machine::Machine& machine, const Run& run);

  // The op, with its run-time sizes in place of symbols.
  const ir::Op& op() const { return op_; }
  const ir::Attributes& attributes() const { return attributes_; }
  const machine::Machine& machine() const { return machine_; }
  std::span<const ir::TensorType> types() const { return types_; }
  const ir::TensorType& type(std::size_t operand) const { return types_[operand]; }
  const ir::TensorType& result() const { return result_; }

  // The op's loops at these sizes; null for an op that is not structured.
  const std::shared_ptr<const ir::LoopNest>& loops() const { return loops_; }

  // Lanes of f32 in one of the machine's vectors.
  double lanes() const { return machine::vector_lanes(machine_, DType::kF32); }

  // Of a contraction in register tiles: what it is, and the tiles that its tree has: one tree for all run-time sizes.
  TiledProduct tiled() const;
  ProductTiles tiles() const;

  // Into how many parts an attention's tree divides the keys.
  std::int64_t parts() const { return parts_; }

  // Into so many equal pieces among the threads, before anything is counted.
  void divide(double pieces) { work_.pieces = pieces; }

  int busy_threads() const { return machine::busy_threads(work_.pieces, work_.threads); }

  // Operations of the multiply-add unit when one vector instruction does `lanes_used` elements' worth.
  void add_instructions(double elements, double operations, double lanes_used);

  // Multiply-adds of another unit, the slowest one that the op waits for, or beside it.
  void use_unit(const machine::Unit& unit, double operations);
  void add_beside(const machine::Unit* unit, double operations) { work_.more.push_back({unit, operations}); }

  // `count` reductions of `lanes_used` lanes each to one value.
  void add_reductions(double count, double lanes_used);

  // Streams come from the outermost level. Activations are found in a cache as far as they fit the part of it that they
  // can count on, and the rest comes from the level behind it.
  void read(std::size_t operand, double bytes);
  void write(double bytes);
  void add_level_bytes(std::size_t level, double bytes) { work_.bytes[level] += bytes; }

  // Bytes that are read again, from the innermost level that holds what all threads together touch until then, a
  // shared one where they read what others have touched; what levels inside of `innermost` hold is counted elsewhere.
  void read_again(const Reuse& reuse, int innermost = 0);

  // What so many threads lack, if they are fewer than those at work, to read a stream as fast as all of these do.
  void read_by(std::size_t operand, int threads);

  // Bytes of a stream that are waited for, beside all else.
  void wait_for(std::size_t operand, double bytes);

  // What nothing overlaps.
  void add_seconds(double seconds) { extra_s_ += seconds; }

  // The threads begin once more, behind a barrier.
  void start_again() { ++work_.starts; }

  // On a machine with a memory level that software manages: whether what must be there at once fits it; else the op has
  // no cost. Copies wait for their first bytes.
  bool is_copied() const { return machine::managed_level(machine_) != nullptr; }
  void need_buffers(double bytes);
  void add_copies(double count) { extra_s_ += count * machine_.memory[1].latency_s / busy_threads(); }

  // Lines of the outermost level that are touched each by itself, and pages whose addresses are looked up.
  void touch_scattered(double lines);
  // Bytes that other threads have written: from where threads meet, each thread its share.
  void exchange(double bytes);
  void walk_pages(double pages);
  double line_bytes() const { return static_cast<double>(machine_.memory.back().line_bytes); }

  std::size_t last_level() const { return machine_.memory.size() - 1; }

  OpCost cost() const;

 private:
  std::size_t shared_level() const;
  // `since`: touched by others since these bytes were touched last.
  void add_activation_bytes(std::vector<double>& levels, double bytes, double since) const;
  double activation_bytes() const;
  std::string bound() const;

  const ir::Op& op_;
  const ir::Attributes& attributes_;
  const machine::Machine& machine_;
  ir::TensorType result_;
  std::vector<Operand> operands_;
  std::vector<ir::TensorType> types_;
  std::vector<ir::TensorType> widest_;  // with symbols
  std::shared_ptr<const ir::LoopNest> loops_;
  std::vector<double> since_;  // bytes, by operand
  machine::Work work_;
  double extra_s_ = 0;                 // what nothing overlaps
  std::optional<int> kept_at_;         // Run::kept_at
  std::optional<ProductTiles> tiles_;  // Run::tiles
  std::int64_t parts_ = 1;             // Run::parts
};

}  // namespace strata::cost
