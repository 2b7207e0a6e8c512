// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"

namespace strata::machine {

// What the C++ toolchain must be told to make code for the machine.
struct Target {
  std::string arch;                      // "x86_64", "aarch64", "riscv64"
  std::string triple;                    // "x86_64-linux-gnu"
  std::vector<std::string> clang_flags;  // "-march=...", for clang++ (without the triple)
  std::vector<std::string> gcc_flags;    // for g++
  std::vector<std::string> features;  // what code made with those flags may use beyond the arch's baseline: "avx512f"
};

// One level of the hierarchy, innermost first in Machine::memory; the last one is DRAM.
struct MemoryLevel {
  std::string name;
  std::int64_t capacity_bytes = 0;  // of one instance
  std::int64_t line_bytes = 64;
  int shared_by = 1;                             // cores that share one instance
  std::map<int, double> read_bytes_per_s;        // number of threads -> their sum, all reading at once
  double latency_s = 0;                          // of a load that depends on the one before
  std::map<int, double> write_bytes_per_s = {};  // the same for stores; empty: as fast as reading
  bool managed = false;                          // by software: it holds only what code copies into it
};

// A way to multiply and add: `lanes` results per instruction, each the sum of `k` products of `dtype` operands added to
// an `accumulator`. k = 1 is a plain FMA, bf16 with k = 2 a pair dot product, i8 with k = 4 a quad dot product.
struct Unit {
  std::string name;
  DType dtype = DType::kF32;
  DType accumulator = DType::kF32;
  int lanes = 1;
  int k = 1;
  double ops_per_s = 0;  // of one core; a multiply-add counts as two
};

// How a core reads a long row of packed elements of one size, encoded ones too, fastest, as tensor::Stream says it:
// `panels` side by side, fetched `ahead_bytes` before they are needed, kept as `locality` says (0: used once, 3: in all
// caches).
struct Stream {
  int element_bits = 0;
  int panels = 1;
  int ahead_bytes = 4096;
  int locality = 0;
  bool operator==(const Stream&) const = default;
};

// Beside the scalar functions: a step of the online softmax (tensor/attention.h).
inline constexpr const char* kSoftmaxStep = "softmax_step";

// What instructions and misses cost a core beside what its units and levels say. The defaults were measured on an EPYC
// (Zen 5), or guessed where that is said.
struct CoreCosts {
  // Slots of the f32 multiply-add unit that a vector of a scalar function's results takes (tensor/math.h), by its name
  // in declarations; log, sin, cos and erf, which the C library computes, per lane. Beside vectors of multiply-adds, 8
  // and 16 lanes alike: exp 18 (22 instructions, some on integer pipes), rsqrt 14 to 16, sigmoid 17 to 18. Other
  // processors divide up to three times slower. kSoftmaxStep: of a vector of scores of an attention, in rows of eight
  // vectors.
  std::map<std::string, double> scalar_slots = {
      {"add", 1},      {"sub", 1},   {"mul", 1},  {"neg", 1},    {"abs", 1},    {"rint", 2},   {"max", 1},
      {"min", 1},      {"lt", 1},    {"div", 5},  {"select", 1}, {"sqrt", 9},   {"rsqrt", 15}, {"exp", 18},
      {"sigmoid", 17}, {"tanh", 17}, {"log", 13}, {"sin", 14.5}, {"cos", 14.5}, {"erf", 50},   {kSoftmaxStep, 20}};
  // The same of decoding a vector of an encoding's words; others take as many as the decoder has instructions.
  std::map<std::string, double> decode_slots = {};
  double fma_latency_slots = 8;     // multiply-adds that a core starts until the first one's sum can be added to
  double reduction_step_slots = 4;  // of a step in which lanes are combined pairwise, waiting for the one before
  double tile_store_slots = 16;     // of an accumulator of a product's register tile: load, add, store, start anew
  double misses_in_flight = 40;     // lines of the outermost level that a core waits for at once
  double cold_lines = 2;            // of an op's code, pushed out of the core's own caches since its last use
  double page_walks_in_flight = 2;  // addresses of pages looked up at once
  double reused_share = 0.125;      // of a core's own cache, what keeps what another op wrote: a guess
  double reused_of_shared = 0.125;  // the same of its share of a cache that other cores use: a guess
  double block_share = 0.8125;      // of a cache, what a block of operands that a product keeps there may fill
  double near_share = 0.25;  // of the innermost cache, what a block of keys and values takes while the next comes
  double pages_walked = 64;  // of rows far apart, those that are looked up anew; more of them follow a pattern
  std::int64_t grain_elements = 4096;  // an elementwise op is divided among threads in pieces of so many: a guess
  bool operator==(const CoreCosts&) const = default;
};

// What a message takes from one device of a mesh to another: a latency by its size, and a time for each byte.
struct Link {
  std::map<std::int64_t, double> latency_s;  // least bytes of a message -> seconds; 0 is there
  double bytes_per_s = 1;                    // that a device sends while it receives as many

  double latency(double bytes) const;  // of a message of so many bytes
  bool operator==(const Link&) const = default;
};

// One axis of the arrangement of devices that work is divided among.
struct MeshAxis {
  std::string name;
  int extent = 1;
  std::optional<Link> link = {};  // between neighbours along it; of the cores' axis and where none is said: none
  bool operator==(const MeshAxis&) const = default;
};

inline constexpr std::string_view kCoreAxis = "core";  // of the mesh: the cores of one machine

struct VectorRegisters {
  int count = 16;
  int bytes = 16;
  bool masks = false;        // loads and stores of the tensor library can leave lanes out (tensor/arch)
  bool byte_lookup = false;  // one instruction looks up a vector of bytes in a table of 16
};

// Processors that have the figures of a machine file, as they number themselves (vendor_id, cpu family and model of
// /proc/cpuinfo).
struct Processors {
  std::string vendor;
  int family = 0;
  int first_model = 0;
  int last_model = 0;
};

// A machine as the compiler sees it. No pass asks which instruction set it is on; it asks these figures.
struct Machine {
  std::string name;
  std::string description;
  Target target;
  std::vector<Processors> processors;  // whose rates these are; `native` on one of them starts from them
  int cores = 1;
  std::vector<MeshAxis> machines;  // the axes of a mesh of machines like this one, outermost first; none: one machine
  VectorRegisters vector_registers;
  std::vector<MemoryLevel> memory;
  std::vector<Unit> units;
  std::vector<Stream> streams;  // by size of the elements; others are read as Stream's defaults say
  // The same of few rows, in one register tile, whose panels are as many as fit it; others are fetched as far ahead as
  // in `streams`, into the second cache.
  std::vector<Stream> tile_streams = {{12, 1, 8192, 2}, {15, 1, 8192, 2}};
  CoreCosts core;
  double barrier_s = 0;          // one barrier of all cores
  double op_overhead_s = 10e-9;  // what one op costs a thread beside its work: call, addresses, loop set-up
  double contention = 0.1;       // of what overlaps with the slowest unit or level, the part that holds it up
  // Not in the file: products in the tiles of machine::register_tile and cache_block, rather than in the fastest ones.
  bool has_fixed_tiles = false;
  bool has_whole_reductions = false;      // the same: no reduction is divided among threads
  bool has_whole_rows = false;            // the same: threads share the columns of products, never their rows
  double storage_read_bytes_per_s = 2e9;  // of what a package lies on, while it isn't in memory
};

// Axes that devices are told apart by, outermost first: those of the machines, and the cores of each.
std::vector<MeshAxis> mesh(const Machine& machine);

// "native", a name of machines/, or the path of such a file. Throws usage_error for an unknown name (listing the known
// ones) or a file that doesn't exist, model_error for a malformed one.
Machine load(const std::string& name_or_path);

// Names that load() knows, "native" first.
std::vector<std::string> known_machines();

// The schema: every key known, every value in range, nothing of importance missing. Throws model_error naming `origin`
// and the key.
Machine machine_from_json(std::string_view json, const std::string& origin);

// Two-space indented, with a final newline; machine_from_json() gives the same machine back.
std::string to_json(const Machine& machine);

}  // namespace strata::machine
