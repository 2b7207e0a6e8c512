// SPDX-License-Identifier: Apache-2.0
#include "distribution/reshard.h"

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

#include "base/error.h"

namespace strata::distribution {

using ir::Sbp;

Reshards::Reshards(Extents extents, const Mesh& mesh, std::vector<ir::Combiner> combiners, double tuple_ratio,
                   double start_s)
    : extents_(std::move(extents)), mesh_(mesh), tuple_ratio_(tuple_ratio), start_s_(start_s), choices_{Sbp{}} {
  for (int axis = extents_.is_constant ? 0 : kSequences; axis < extents_.type.rank(); ++axis) {
    choices_.push_back(Sbp::split(axis));
  }
  for (const ir::Combiner combiner : combiners) choices_.push_back(Sbp::partial(combiner));
}

double Reshards::seconds(const State& from, const State& to) {
  const Ways& ways = ways_from(from);
  const auto way = ways.find(code_of(to));
  return way == ways.end() ? std::numeric_limits<double>::infinity() : way->second.seconds;
}

std::vector<Hop> Reshards::path(const State& from, const State& to) {
  const Ways& ways = ways_from(from);
  std::vector<Hop> hops;
  for (int code = code_of(to); code != code_of(from);) {
    const Way& way = ways.at(code);
    hops.push_back(way.hop);
    code = way.before;
  }
  std::ranges::reverse(hops);
  return hops;
}

// Dijkstra; of ways that take as long, the one of fewer hops.
const Reshards::Ways& Reshards::ways_from(const State& from) {
  const auto [found, is_new] = ways_.try_emplace(code_of(from));
  Ways& ways = found->second;
  if (!is_new) return ways;
  std::map<int, State> states = {{found->first, from}};
  std::set<std::tuple<double, int, int>> open = {{0.0, 0, found->first}};
  ways[found->first] = {};
  while (!open.empty()) {
    const auto [seconds, count, code] = *open.begin();
    open.erase(open.begin());
    for (Hop& hop : hops_from(states.at(code))) {
      const int to = code_of(hop.to);
      const Way way{seconds + hop.cost.seconds, count + 1, code, hop};
      const auto [known, is_first] = ways.try_emplace(to, way);
      if (!is_first) {
        if (std::pair(way.seconds, way.hops) >= std::pair(known->second.seconds, known->second.hops)) continue;
        open.erase({known->second.seconds, known->second.hops, to});
        known->second = way;
      }
      states.try_emplace(to, hop.to);
      open.emplace(way.seconds, way.hops, to);
    }
  }
  return ways;
}

std::vector<Hop> Reshards::hops_from(const State& from) const {
  std::vector<Hop> hops;
  for (std::size_t axis = 0; axis < mesh_.size(); ++axis) add_hops(from, axis, hops);
  return hops;
}

void Reshards::add_hops(const State& from, std::size_t axis, std::vector<Hop>& hops) const {
  for (const Sbp& to : choices_) {
    if (to == from[axis] || to.is_partial()) continue;
    if (!is_inmost(from, axis, from[axis]) || !is_inmost(from, axis, to)) continue;
    Hop hop{kind_of(from[axis], to), static_cast<int>(axis), {}, from};
    hop.to[axis] = to;
    if (!is_possible(extents_, hop.to, mesh_)) continue;
    hop.cost = cost_of(from, hop);
    // Weights are stored as they are used: what a device lacks of them it doesn't get.
    if (extents_.equal_parts && extents_.is_constant && hop.kind != CollectiveKind::kSlice) continue;
    hops.push_back(std::move(hop));
  }
}

CollectiveCost Reshards::cost_of(const State& from, const Hop& hop) const {
  const bool is_gathered = hop.kind == CollectiveKind::kAllGather;
  const machine::MeshAxis& axis = mesh_[static_cast<std::size_t>(hop.axis)];
  CollectiveCost cost = collective_cost(hop.kind, axis, bytes(is_gathered ? hop.to : from));
  if (hop.kind != CollectiveKind::kSlice) cost.seconds += start_s_;
  return cost;
}

// Whether no inner axis of the mesh divides what this one does.
bool Reshards::is_inmost(const State& state, std::size_t axis, const Sbp& sbp) const {
  return !sbp.is_split() ||
         std::find(state.begin() + static_cast<std::ptrdiff_t>(axis) + 1, state.end(), sbp) == state.end();
}

CollectiveKind Reshards::kind_of(const Sbp& from, const Sbp& to) const {
  if (from.is_partial()) return to.is_split() ? CollectiveKind::kReduceScatter : CollectiveKind::kAllReduce;
  if (from.is_broadcast()) return CollectiveKind::kSlice;
  return to.is_split() ? CollectiveKind::kAllToAll : CollectiveKind::kAllGather;
}

double Reshards::bytes(const State& state) const {
  const double bytes = share_of(extents_, state, mesh_).bytes;
  const bool is_tuple = std::ranges::count(state, Sbp::partial(ir::Combiner::kTuple)) > 0;
  return is_tuple ? bytes * tuple_ratio_ : bytes;
}

int Reshards::code_of(const State& state) const {
  int code = 0;
  for (const Sbp& sbp : state) {
    const auto at = std::ranges::find(choices_, sbp);
    STRATA_CHECK(at != choices_.end(), "a value isn't in such a state");
    code = code * static_cast<int>(choices_.size()) + static_cast<int>(at - choices_.begin());
  }
  return code;
}

}  // namespace strata::distribution
