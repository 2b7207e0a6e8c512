// SPDX-License-Identifier: Apache-2.0
// Loops that measure a machine rather than compute: the rates of its memory levels and units, and what starting an op
// costs. Each does only what it measures, with enough independent work in flight to be limited by nothing else.
#pragma once

#include <type_traits>

#include "tensor/arch/i8_dot.h"
#include "tensor/attention.h"
#include "tensor/encoded.h"
#include "tensor/math.h"
#include "tensor/matmul.h"
#include "tensor/team.h"
#include "tensor/tile.h"

namespace strata::tensor::probe {

// Memory may have changed: what was read or written before is read or written again.
STRATA_INLINE void forget() { __asm__ volatile("" ::: "memory"); }

// Vectors in flight: more than latency x loads per cycle of any processor we know, and few enough for 16 registers.
inline constexpr int kStreams = 8;

// Sum modulo 2^32 of `count` words, a multiple of kStreams * L, read `repeats` times over.
template <int L>
STRATA_NOINLINE std::uint32_t read(const std::uint32_t* data, std::int64_t count, std::int64_t repeats) {
  Vec<std::uint32_t, L> sums[kStreams] = {};
  for (std::int64_t repeat = 0; repeat < repeats; ++repeat) {
    for (std::int64_t i = 0; i < count; i += kStreams * L) {
      STRATA_UNROLL
      for (int s = 0; s < kStreams; ++s) sums[s] += load_raw(Lanes<L>{}, data + i + s * L);
    }
    forget();
  }
  std::uint32_t words[kStreams * L];
  __builtin_memcpy(words, sums, sizeof(words));
  std::uint32_t sum = 0;
  for (const std::uint32_t word : words) sum += word;
  return sum;
}

// Sets `count` words, a multiple of kStreams * L, to `value`, `repeats` times over.
template <int L>
STRATA_NOINLINE void write(std::uint32_t* data, std::int64_t count, std::int64_t repeats, std::uint32_t value) {
  const Vec<std::uint32_t, L> values = Vec<std::uint32_t, L>{} + value;
  for (std::int64_t repeat = 0; repeat < repeats; ++repeat) {
    for (std::int64_t i = 0; i < count; i += kStreams * L) {
      STRATA_UNROLL
      for (int s = 0; s < kStreams; ++s) store_raw(Lanes<L>{}, data + i + s * L, values);
    }
    forget();
  }
}

// One row times the panels of `bytes` of packed elements, as generated code streams weights. x: [k], c: a float for
// each of the panels' lanes.
template <int L, Stream How, class T>
STRATA_NOINLINE void stream(const float* x, const T* panels, std::int64_t bytes, std::int64_t k, float* c) {
  constexpr BLayout kLayout = std::is_same_v<T, bf16> ? BLayout::kPairs : BLayout::kLanes;
  const std::int64_t n = bytes / static_cast<std::int64_t>(sizeof(T)) / k;
  gemv_panels<L, How, kLayout>(x, k, panels, k, n, c, n, 0, n / L);
}

// The same in an encoding, its table such that the numbers are in [1, 2) or there about; the row is of pairs where a
// unit multiplies them, and x read as such.
template <int L, Stream How, class E>
STRATA_NOINLINE void stream(const float* x, const Encoded<E>* panels, std::int64_t bytes, std::int64_t k, float* c) {
  EncodedHeader header{};
  for (std::uint8_t& entry : header.table) entry = 127;
  const EncodedMatrix<E, L> matrix(header, panels, k);
  const std::int64_t count = bytes / matrix.panel_bytes();
  const GemmTarget out{c, count * L, 1, count * L};
  if constexpr (kHoldsPairs<E> && arch::kHasBf16Dot<L>) {
    multiply_encoded<L, 1, 1, How>(reinterpret_cast<const bf16*>(x), matrix, k, out, 0, count, Overwrite{});
  } else {
    multiply_encoded<L, 1, 1, How>(x, matrix, k, out, 0, count, Overwrite{});
  }
}

// Follows a chain of pointers for `steps` steps, each load depending on the one before; returns where it ends.
STRATA_NOINLINE inline const void* chase(const void* from, std::int64_t steps) {
  for (std::int64_t i = 0; i < steps; ++i) from = *static_cast<const void* const*>(from);
  return from;
}

// `calls` times a scalar function of kStreams vectors, from x to y; none waits for another one.
template <int L, class Function>
STRATA_NOINLINE void vectors(const float* x, float* y, std::int64_t calls, Function function) {
  for (std::int64_t i = 0; i < calls; ++i) {
    STRATA_UNROLL
    for (int s = 0; s < kStreams; ++s) store_raw(Lanes<L>{}, y + s * L, function(load_raw(Lanes<L>{}, x + s * L)));
    forget();
  }
}

// `calls` steps of the online softmax of a row of kStreams vectors, at most Rows at once: weights take the place of
// scores[Rows * kStreams * L].
template <int L, int Rows>
STRATA_NOINLINE void softmax_step(float* scores, std::int64_t calls) {
  constexpr std::int64_t kKeys = kStreams * L;
  const auto all = [](std::int64_t) { return Range{0, kKeys}; };
  float running[running_floats(Rows, 0)] = {};
  for (std::int64_t i = 0; i < calls; i += Rows) {
    const QueryTile tile{{0, calls - i < Rows ? calls - i : Rows}, {0, 1}};
    softmax_block<L, BLayout::kLanes, kKeys>(tile, {0, kKeys}, all, Unchanged{}, scores, running);
    forget();
  }
}

// Chains accumulators of one vector each, from and to state[Chains * L], advanced `steps` times by `advance`. The
// accumulator is an operand of every instruction, so none can be moved out of the loop; each comes from a place of its
// own, or g++ computes chains that must be equal only once.
template <class T, int Chains, int L, class Advance>
STRATA_INLINE void run_chains(T* state, std::int64_t steps, Advance&& advance) {
  Vec<T, L> acc[Chains];
  STRATA_UNROLL
  for (int c = 0; c < Chains; ++c) acc[c] = load_raw(Lanes<L>{}, state + c * L);
  for (std::int64_t i = 0; i < steps; ++i) {
    STRATA_UNROLL
    for (int c = 0; c < Chains; ++c) acc[c] = advance(acc[c]);
  }
  STRATA_UNROLL
  for (int c = 0; c < Chains; ++c) store_raw(Lanes<L>{}, state + c * L, acc[c]);
}

// acc = acc * factor + addend in every lane of every chain.
template <int Chains, int L>
STRATA_NOINLINE void multiply_add(float* state, std::int64_t steps, float factor, float addend) {
  const Vec<float, L> factors = splat(Lanes<L>{}, factor);
  const Vec<float, L> addends = splat(Lanes<L>{}, addend);
  run_chains<float, Chains, L>(state, steps, [&](auto acc) { return acc * factors + addends; });
}

// acc += the dot product of two pairs of bf16, given as 32-bit words.
template <int Chains, int L>
STRATA_NOINLINE void bf16_pairs(float* state, std::int64_t steps, std::uint32_t a, std::uint32_t b) {
  using Words = Vec<std::uint32_t, L>;
  const Words left = Words{} + a;
  const Words right = Words{} + b;
  run_chains<float, Chains, L>(state, steps, [&](auto acc) { return dot_pairs<L>(acc, left, right); });
}

// acc += the dot product of two quads of int8, given as 32-bit words; no byte of a is negative. Instructions for
// pairs of bytes don't read the accumulator: `left` is a new value for each of them, as in a tile of rows and panels.
template <int Chains, int L>
STRATA_NOINLINE void i8_quads(std::int32_t* state, std::int64_t steps, std::int32_t a, std::int32_t b) {
  using Words = Vec<std::int32_t, L>;
  Words left = Words{} + a;
  const Words right = Words{} + b;
  run_chains<std::int32_t, Chains, L>(state, steps, [&](auto acc) {
    if constexpr (arch::kHasUnsignedDot<L> || arch::kHasSignedDot<L>) {
      return arch::i8_dot<L>(acc, left, right);
    } else {
      left = settled(left);
      return arch::i8_dot_signed<L>(acc, left, right);
    }
  });
}

// y = x + 1: an op as generated code has it, a function that finds its share of the work and loops over it.
template <int L>
STRATA_NOINLINE void add_one(const Team& team, const float* x, float* y, std::int64_t count) {
  const Range range = team.split(count, L);
  for_each_lane_group<L>(range.end - range.begin, [&](auto lanes, std::int64_t i) {
    store(lanes, y + range.begin + i, load(lanes, x + range.begin + i) + 1.0f);
  });
}

// `calls` small ops one after another, each on the result of the one before: x to y and back.
template <int L>
STRATA_NOINLINE void small_ops(const Team& team, float* x, float* y, std::int64_t count, std::int64_t calls) {
  for (std::int64_t i = 0; i < calls; ++i) {
    if (i % 2 == 0) {
      add_one<L>(team, x, y, count);
    } else {
      add_one<L>(team, y, x, count);
    }
  }
}

}  // namespace strata::tensor::probe
