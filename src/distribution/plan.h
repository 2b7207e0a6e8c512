// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "distribution/problem.h"

namespace strata::distribution {

// An op as it was placed.
struct PlacedOp {
  std::string name;                   // "layer.q_proj"
  std::string function;               // "layer"
  std::vector<std::string> operands;  // states; of scalar constants ""
  std::string result;
  State state;         // the result's
  double count = 1;    // in a step
  double seconds = 0;  // of all of them
};

// Collectives of one kind at one place.
struct PlacedCollective {
  std::string kind;      // "all-reduce"
  std::string axis;      // of the mesh
  std::string function;  // "layer"; empty: between functions
  std::string value;     // what is moved: "layer.down_proj"
  std::string user;      // the op that wants it; empty: several, or what follows the function
  std::string from, to;  // states
  double bytes = 0;      // that each device sends in one of them
  double count = 1;      // in a step
  double seconds = 0;    // of all of them
};

// What a step of a phase is.
struct PhasePlan {
  std::string name;  // "decode"
  double runs = 1;   // in the workload
  std::vector<PlacedOp> ops;
  std::vector<PlacedCollective> collectives;
  double compute_s = 0;
  double collective_s = 0;
  std::vector<double> link_bytes;  // by axis of the mesh: that a device sends in a step
  double arena_bytes = 0;
  double seconds() const { return compute_s + collective_s; }
};

// How a weight or cache lies.
struct PlacedStore {
  std::string name;
  std::string state;
  bool is_cache = false;
  double bytes = 0;  // on a device, all layers
};

struct DistributionPlan {
  Mesh mesh;
  std::vector<PhasePlan> phases;
  std::vector<PlacedStore> stores;
  std::string carried;                                        // how the layers hand on their result
  double weight_bytes = 0, cache_bytes = 0, arena_bytes = 0;  // on a device
  double limit_bytes = 0;                                     // that a device has
  double seconds = 0;                                         // of the workload
  double bound_s = 0;                                         // no plan that fits is faster
  double gap = 0;                                             // (seconds - bound) / seconds
  std::int64_t work = 0;                                      // entries of tables that the search filled
  std::optional<Division> division = {};                      // of plans with equal parts: what code is made of

  double bytes() const { return weight_bytes + cache_bytes + arena_bytes; }
};

struct SearchOptions {
  double memory_bytes = 0;                            // of a device; 0: all of the machine's outermost level
  std::int64_t most_entries = std::int64_t{1} << 31;  // that are looked at for one table
};

// The fastest plan for the phases of a workload together. Weights and caches lie in one way for all of them, ops may be
// divided otherwise in each; with equal parts (Phase) they are divided alike in all. Where memory is short, its price
// rises until a plan fits. Throws resource_error with the numbers where none does.
DistributionPlan plan_distribution(const Graph& graph, const Mesh& mesh, const machine::Machine& machine,
                                   const std::vector<Phase>& phases, const SearchOptions& options = {});

}  // namespace strata::distribution
