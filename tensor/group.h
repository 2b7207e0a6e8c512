// SPDX-License-Identifier: Apache-2.0
// What the ranks of a program that runs on several devices exchange: calls into the runtime, by thread 0 of each.
#pragma once

#include "tensor/team.h"

namespace strata::tensor {

// Of one rank. `mesh` is an axis of the mesh of ranks, whose group are the ranks that differ along it alone. A tensor
// that is cut along one of its axes is [outer, parts, run], a part of it [outer, run]. In bytes, of sums in floats.
struct Group {
  void* self = nullptr;
  void (*all_reduce)(void* self, int mesh, const float* in, float* out, std::int64_t count,
                     std::int64_t whole_bytes) = nullptr;
  void (*reduce_scatter)(void* self, int mesh, const float* in, float* out, std::int64_t outer,
                         std::int64_t run) = nullptr;
  void (*all_gather)(void* self, int mesh, const void* in, void* out, std::int64_t outer, std::int64_t run) = nullptr;
  void (*all_to_all)(void* self, int mesh, const void* in, void* out, std::int64_t cut_outer, std::int64_t cut_run,
                     std::int64_t outer, std::int64_t run) = nullptr;
  int (*coordinate)(void* self, int mesh) = nullptr;  // the rank's, along the axis
  void (*rank_slice)(void* self, int mesh, const void* in, void* out, std::int64_t outer, std::int64_t run) = nullptr;
};

// The sum of what all have. Up to `whole_bytes` bytes each message has all of it.
inline void all_reduce(const Team& team, int mesh, const float* in, float* out, std::int64_t count,
                       std::int64_t whole_bytes) {
  team.group->all_reduce(team.group->self, mesh, in, out, count, whole_bytes);
}

// The rank's part of that sum.
inline void reduce_scatter(const Team& team, int mesh, const float* in, float* out, std::int64_t outer,
                           std::int64_t run) {
  team.group->reduce_scatter(team.group->self, mesh, in, out, outer, run);
}

// All ranks' parts.
template <class T>
void all_gather(const Team& team, int mesh, const T* in, T* out, std::int64_t outer, std::int64_t run) {
  team.group->all_gather(team.group->self, mesh, in, out, outer, run * static_cast<std::int64_t>(sizeof(T)));
}

// The rank's part, along one axis, of all ranks' parts along another one. These runs have all ranks' parts: of what is
// cut, and of the result.
template <class T>
void all_to_all(const Team& team, int mesh, const T* in, T* out, std::int64_t cut_outer, std::int64_t cut_run,
                std::int64_t outer, std::int64_t run) {
  constexpr auto kBytes = static_cast<std::int64_t>(sizeof(T));
  team.group->all_to_all(team.group->self, mesh, in, out, cut_outer, cut_run * kBytes, outer, run * kBytes);
}

// The rank's part of what it has.
template <class T>
void rank_slice(const Team& team, int mesh, const T* in, T* out, std::int64_t outer, std::int64_t run) {
  team.group->rank_slice(team.group->self, mesh, in, out, outer, run * static_cast<std::int64_t>(sizeof(T)));
}

}  // namespace strata::tensor
