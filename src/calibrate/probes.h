// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "machine/machine.h"
#include "runtime/code_library.h"

namespace strata::calibrate {

// Ways to stream weights that are worth a try on any processor, simplest first.
std::vector<machine::Stream> stream_candidates(const machine::Machine& machine);

// Scalar functions that tensor/math.h computes in several instructions, by their names in declarations, and the step of
// a softmax. What the C library computes is not among them: its time depends on the argument.
const std::vector<std::string>& scalar_functions();

// The loops of tensor/probe.h, compiled for the machine that is measured: this program itself is compiled for the
// baseline of its architecture. Any thread may call them.
class Probes {
 public:
  // Throws toolchain_error when there is no compiler. `waiting` is called while it runs, and may throw to give up.
  explicit Probes(const machine::Machine& machine, const std::function<void()>& waiting = {});

  // Sizes of the words that are read or written must be multiples of this.
  std::size_t block_bytes() const;

  std::uint32_t read(std::span<const std::uint32_t> words, std::int64_t repeats) const;
  void write(std::span<std::uint32_t> words, std::int64_t repeats, std::uint32_t value) const;
  const void* chase(const void* from, std::int64_t steps) const;

  // Whether there is a loop for this unit of the machine, by its number there.
  bool has_unit(std::size_t unit) const;
  // Runs it so many steps; returns the operations that this was, as Unit::ops_per_s counts them.
  double run_unit(std::size_t unit, std::int64_t steps) const;

  // Multiplies a row by `weights` as a matmul of one row reads them, in one of stream_candidates() by its number there.
  // They hold a whole number of stream_block_bytes().
  void stream(std::size_t candidate, std::span<const std::byte> weights) const;
  std::size_t stream_block_bytes() const;

  void small_ops(std::int64_t calls) const;

  // Computes one of scalar_functions(), by its number there, so often; returns the vectors that this was.
  double run_function(std::size_t function, std::int64_t calls) const;

 private:
  machine::Machine machine_;
  std::optional<runtime::CodeLibrary> library_;
  runtime::EntryFunction read_, write_, chase_, small_ops_;
  std::vector<runtime::EntryFunction> units_;  // null: no loop
  std::vector<runtime::EntryFunction> streams_;
  std::vector<runtime::EntryFunction> functions_;
};

}  // namespace strata::calibrate
