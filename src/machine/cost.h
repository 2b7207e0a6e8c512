// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "machine/machine.h"

namespace strata::machine {

// Arithmetic on one unit.
struct UnitWork {
  const Unit* unit = nullptr;
  double ops = 0;  // a multiply-add counts as two; of scalar functions, elements x scalar_operations()
};

// What an op does, for its predicted time.
struct Work {
  double ops = 0;                  // on `unit`; a multiply-add counts as two
  const Unit* unit = nullptr;      // may be null when ops is 0
  std::vector<double> bytes = {};  // read at each level, as Machine::memory; missing ones are 0
  int threads = 1;                 // of the team; all wait at barriers
  double pieces = 0;               // equal ones that it is divided into among the threads; 0: as many as one likes
  int barriers = 0;
  std::vector<UnitWork> more = {};   // on other units, or what doesn't count as a multiply-add, such as an epilogue
  std::vector<double> written = {};  // bytes written at each level, which may take longer; missing ones are 0
  int starts = 0;                    // ops begun one after another on each thread
};

// Roofline (Williams, Waterman, Patterson 2009): arithmetic and memory levels work at the same time, so the slowest of
// them is the time, and Machine::contention of the others; barriers and the overhead of starting come on top. A core's
// units are different instructions of the same pipes, so their times add up, as do reading and writing at one level.
// The thread with the most pieces is waited for, and threads without a piece fetch nothing. Seconds.
double seconds(const Machine& machine, const Work& work);

// How many threads of a team have work that is divided into so many pieces; 0: into as many as one likes.
int busy_threads(double pieces, int team);

// Bytes per second that `threads` threads read together. Between the measured counts it is interpolated; beyond the
// last one, a level that each core has for itself grows with the threads and a shared one stays.
double bandwidth(const MemoryLevel& level, int threads);

// The same for writing.
double write_bandwidth(const MemoryLevel& level, int threads);

// Index of the innermost level that holds `bytes`, by `threads` cores together; the last level holds everything.
int level_holding(const Machine& machine, double bytes, int threads = 1);

// The level that software manages, which holds only what is copied into it; nullptr: the machine has none.
const MemoryLevel* managed_level(const Machine& machine);

// Lanes of one vector register; at least 1.
int vector_lanes(const Machine& machine, DType dtype);

// The unit for operands of this type that sums several products per lane; nullptr when there is none.
const Unit* dot_unit(const Machine& machine, DType dtype);

// Operations, in the counting of Unit::ops_per_s of the f32 multiply-add unit, that one element's result of a scalar
// function (by its name in an op's declaration: "exp", "div") costs in tensor/math.h: two per instruction that takes a
// multiply-add's slot, so 2 for `add`. A product that is added at once is one instruction: count one of the two.
// `lanes` are those of a vector: what the C library computes (log, sin, cos, erf) is done lane by lane, which keeps the
// unit as busy as so many vectors would.
double scalar_operations(const Machine& machine, const std::string& function, int lanes = 16);

// Slots that decoding a vector of an encoding's words takes beside the multiply-adds; `instructions`: of its decoder.
double decode_slots(const Machine& machine, const std::string& encoding, double instructions);

// The plain multiply-add unit for operands of this type; nullptr when there is none.
const Unit* fma_unit(const Machine& machine, DType dtype);

// How rows of this type are read: the machine's entry for the size of its elements, or Stream's defaults.
Stream stream(const Machine& machine, int element_bits);

// The same of a single register tile's rows.
Stream tile_stream(const Machine& machine, int element_bits);

// A matmul micro-kernel's accumulators: `rows` of the left operand x `panels` vectors of the right one.
struct RegisterTile {
  int rows = 1;
  int panels = 1;
};

// The tile with the fewest loads per multiply-add, rows + panels of them for rows x panels, among those whose
// accumulators, right vectors and one broadcast fit the registers (rows * panels + panels + 1). Panels are a power of
// two, so that they divide the usual widths. 6 x 4 of 32 registers, 6 x 2 of 16. On an EPYC (Zen 5) beside other work 6
// x 4 reached 87 % of the f32 peak and 83 % of the bf16 pair unit's at K 1024; 14 x 2, which needs fewer bytes, 82 and
// 75 %.
RegisterTile register_tile(const Machine& machine);

// Rows of the left operand of a matmul x values of k that stay in a core's own caches while the right operand streams
// past.
struct CacheBlock {
  std::int64_t rows = 1;
  std::int64_t depth = 1;
  int level = 0;  // which cache: as Machine::memory
};

// Blocks of k are multiples of this: whole cache lines, and whole groups of every encoding of weights.
inline constexpr std::int64_t kDepthUnit = 32;

// The outermost cache that a core has for itself: its number in Machine::memory.
int own_cache(const Machine& machine);

// Of the outermost cache that a core has for itself, an eighth holds the group of panels at work and another one the
// group that is fetched ahead, and nine sixteenths the block of rows, for elements of the left operand of this size.
// With 1 MiB and 6 x 4 tiles of 16 lanes 288 x 512 of f32 and 288 x 1024 of bf16. On an EPYC (Zen 5) beside other work
// 512 rows of f32 in blocks of 264 x 512, 174 x 768 and 264 x 384 reached 75 to 86, 72 to 85 and 82 to 84 % of the
// multiply-adds' peak; 16-bit pairs on a Zen 4 217.6 GFLOP/s at a depth of 512 and 225 at 1024.
CacheBlock cache_block(const Machine& machine, int element_bytes);

// Rows of queries x keys, a power of two, that an attention of so many rows works on at a time.
struct AttentionBlock {
  std::int64_t rows = 1;
  std::int64_t keys = 1;
};

// Four register tiles of rows, of which groups of heads that are no power of two fill most, whose scores fill the
// innermost cache: 32 x 256 with 32 or 48 KiB, 2 x 4096 of a single token with two heads. 512 tokens after 3,584 on a
// Zen 4, heads of 64 and of 128, against 32 x 128: 1.03 and 1.02 times as fast in bf16, 1.01 in f16 and f32, as with
// 16 x 256 and 16 x 512; 8 x 512 is slower without a context, 32 x 64 by 5 %. A single token's do not matter.
AttentionBlock attention_block(const Machine& machine, std::int64_t rows);

// Register tiles of its products, rows of queries x vectors of keys or values: 8 x 2 with 32 registers, 4 x 2 with 16.
RegisterTile attention_tile(const Machine& machine);

}  // namespace strata::machine
