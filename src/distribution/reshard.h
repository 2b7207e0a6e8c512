// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <vector>

#include "cost/collective.h"
#include "distribution/state.h"

namespace strata::distribution {

using cost::collective_cost;
using cost::CollectiveCost;
using cost::CollectiveKind;

// A collective on the way from one state to another.
struct Hop {
  CollectiveKind kind = CollectiveKind::kSlice;
  int axis = 0;  // of the mesh
  CollectiveCost cost;
  State to;
};

// The cheapest ways of moving a value between states, over as many hops as they take. Of an axis that several axes of
// the mesh divide, the outermost has the largest parts: it is divided first and gathered last.
class Reshards {
 public:
  // `combiners` of its partial states. `tuple_ratio`: bytes of its states by those of the value, where it is partial of
  // a tuple. `start_s`: what a collective takes beside its messages.
  Reshards(Extents extents, const Mesh& mesh, std::vector<ir::Combiner> combiners, double tuple_ratio, double start_s);

  // Infinite where there is no way.
  double seconds(const State& from, const State& to);
  std::vector<Hop> path(const State& from, const State& to);

  // What a hop costs.
  CollectiveCost cost_of(const State& from, const Hop& hop) const;

 private:
  struct Way {
    double seconds = 0;
    int hops = 0;
    int before = -1;  // code of the state before
    Hop hop;
  };
  using Ways = std::map<int, Way>;  // by code of a state

  const Ways& ways_from(const State& from);
  std::vector<Hop> hops_from(const State& from) const;
  void add_hops(const State& from, std::size_t axis, std::vector<Hop>& hops) const;
  bool is_inmost(const State& state, std::size_t axis, const ir::Sbp& sbp) const;
  CollectiveKind kind_of(const ir::Sbp& from, const ir::Sbp& to) const;
  double bytes(const State& state) const;
  int code_of(const State& state) const;

  Extents extents_;
  const Mesh& mesh_;
  double tuple_ratio_;
  double start_s_;
  std::vector<ir::Sbp> choices_;  // of an axis of the mesh
  std::map<int, Ways> ways_;
};

}  // namespace strata::distribution
