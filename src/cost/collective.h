// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "machine/machine.h"

namespace strata::cost {

// What moves a value from one state to another along one axis of the mesh.
enum class CollectiveKind {
  kAllGather,      // S -> B
  kReduceScatter,  // P -> S
  kAllReduce,      // P -> B
  kAllToAll,       // S -> S of another axis
  kSlice,          // B -> S: each device takes its part of what it has
};

std::string name_of(CollectiveKind kind);

struct CollectiveCost {
  double seconds = 0;
  double bytes = 0;  // that each device sends
};

// By the alpha-beta model (Thakur, Rabenseifner and Gropp, Optimization of collective communication operations in
// MPICH, 2005): the fastest of the usual algorithms, each message with the latency of its size. `bytes` are those of
// what a device has before, of an all-gather of what it has behind. n devices:
//
//   all-gather, reduce-scatter   doubling or halving: log2 n messages; ring: n - 1; both (n - 1)/n of the bytes
//   all-reduce                   both one after the other; doubling: log2 n messages of all bytes, where n is no power
//                                of two n - 1
//   all-to-all                   pairwise: n - 1 messages of an nth; in log2 n messages of half of the bytes (Bruck)
CollectiveCost collective_cost(CollectiveKind kind, const machine::MeshAxis& axis, double bytes);

// Of the axes of the machine's mesh with several machines, as ops number them; null: there are fewer, or it has no
// link.
const machine::MeshAxis* device_axis(const machine::Machine& machine, std::int64_t number);

// The most bytes of which an all-reduce is fastest when each message has all of them.
std::int64_t whole_reduce_bytes(const machine::MeshAxis& axis);

}  // namespace strata::cost
