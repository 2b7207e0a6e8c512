// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "ir/contraction.h"
#include "ir/type.h"
#include "machine/machine.h"

namespace strata::cost {

// The parameters of a contraction's tile tree, beside the row tile, which is the left operand's layout.
struct ProductTiles {
  std::int64_t panels = 1;     // vectors of the right operand side by side in a register tile
  std::int64_t rows = 1;       // of a block, whole row tiles
  std::int64_t depth = 1;      // of a block: values of k
  int level = 0;               // of Machine::memory, which keeps the block
  std::int64_t columns = 0;    // that are finished before the next ones are begun; 0: all at once
                               // (of a machine with a managed level: whose panels are copied at once)
  std::int64_t unit_rows = 0;  // threads share units of so many rows and one group of panels; 0: groups alone

  bool operator==(const ProductTiles&) const = default;
};

// A contraction in register tiles, as its cost sees it.
struct TiledProduct {
  double rows = 1, columns = 1, depth = 1;  // m, n with the padding of the last panel, k
  double lanes = 1;                         // of a panel
  double row_tile = 1;
  double depth_unit = 1;     // what blocks of k are multiples of
  double element_bytes = 4;  // of the left operand, and of the panels that are multiplied
  double right_bytes = 0;    // of the right operand as it is stored
  double slots = 1;          // of an instruction's vector that adds to one accumulator
  double chain = 1;          // multiply-adds of these that wait for one another
  double products = 1;       // per lane that these slots make
  double slots_per_s = 1;    // of the unit, on one core
  double decode_slots = 0;   // of a vector of the right operand's words, beside the multiply-adds
  bool is_widened = false;   // the right operand's elements are turned to f32
  double widening = 1;       // instructions of a vector of these
  double widened_apart = 0;  // by each row tile itself, of up to so many
};

// Instructions that turn one vector of elements to f32: bytes lie in words of four, from which each is shifted first.
double conversions(DType dtype);

// Slots of the unit for each of its instructions where blocks of k have scales: a block's sum is converted, multiplied
// by two scales and added, on ports that both units share. A block of 0: there are none.
double block_slots(const machine::Machine& machine, const machine::Unit& unit, std::int64_t block);

// Of operands with these types, symbols counting with their largest value. The contraction is one of a leaf that takes
// blocks (cost/leaf.h).
TiledProduct tiled_product(const machine::Machine& machine, std::span<const ir::TensorType> types,
                           const ir::Contraction& contraction);

// Bytes that are read again, and what all that is touched until then takes.
struct Reuse {
  double footprint = 0;
  double bytes = 0;
  double shared = 0;  // where threads read one memory: what all of them touch, once; 0: each touches its own
};

// What a product does in given tiles: C in tiles of row_tile x panels vectors, whose accumulators stay in registers
// along k, in blocks that a core's own caches hold; a group of panels of one block of k passes all row tiles of a block
// of rows (Goto and van de Geijn, Anatomy of high-performance matrix multiplication, 2008).
class TiledWork {
 public:
  TiledWork(const machine::Machine& machine, const TiledProduct& product, const ProductTiles& tiles)
      : machine_(machine), product_(product), tiles_(tiles) {}

  double row_tiles() const;
  double row_blocks() const;
  double depth_blocks() const;
  double groups() const;
  // Products with the padding of the last row tile, and with what takes as long: a tile of few accumulators waits for
  // the latency of its multiply-adds, and each accumulator is cleared, and added to what lies in C, in every block of
  // k: 10 slots of 6 x 2 tiles on a Zen 3, 18 of 6 x 4 on a Zen 4.
  double products() const;
  // Of the right operand, bytes that nothing fetches ahead: each row tile of a block fetches one panel of the next
  // group (tensor/matmul.h), a single row tile all. On a Zen 4 in bf16 8 rows took 1.74 ms in tiles of 6 and 2 rows x
  // 4, 1.30 in 8 x 2; predicted 1.7 and 1.2. Panels of which a step reads less than a line the processor fetches in
  // time: on a Zen 3 8 rows and 100 MB of f32 took 12.8 ms in 4 x 3, 14.7 in 4 x 2.
  // Where threads share rows too, no call meets the next group: of what a thread reads only the first one is taken to
  // be there in time, as elsewhere.
  double waited_bytes(int threads) const;
  // Of the f32 unit, to decode the right operand, and to turn it to f32.
  double operations_beside() const;
  // Of the innermost level: every step loads `panels` vectors and broadcasts a value for each row, each a slot as wide
  // as a vector.
  double load_bytes() const;

  // By all threads together: a group of panels by the next tile of rows, the rows by the next group, all panels by the
  // next block of rows, what earlier blocks of k have left by each later one, and all blocks of k of some rows by the
  // next part of the columns.
  Reuse group_again(int threads) const;
  Reuse rows_again(int threads) const;
  Reuse panels_again(int threads) const;
  Reuse sums_again() const;
  Reuse blocks_again(int threads) const;
  // Of panels whose rows several threads share, by those that are not the first to read them.
  Reuse panels_of_others(int threads) const;

  // On a machine with a memory level that software manages: bytes that are copied into it, the right operand for each
  // block of rows and the left one for each part of the columns, copies, and what all buffers take.
  double copied_bytes() const { return right_copied_bytes() + left_copied_bytes(); }
  double right_copied_bytes() const;
  double left_copied_bytes() const;
  double copies() const;
  double buffer_bytes() const;

 private:
  // f(height, panels, how many) for each kind of register tile, times(...) added up.
  template <class F>
  double over_tiles(const F& f) const;
  double last_height() const;
  double padded_rows() const;
  double block_depth() const;
  double block_rows() const;
  double unit_rows() const;
  double row_parts() const;
  double part_columns() const;
  double column_parts() const;
  double group_bytes() const;
  double readings(int threads) const;

  const machine::Machine& machine_;
  const TiledProduct& product_;
  const ProductTiles tiles_;
};

}  // namespace strata::cost
