// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_set>

#include "search/costs.h"

namespace strata::search {

using StateSet = std::unordered_set<State, StateHash>;

namespace {

// Walks past the places once, and takes the moves that `takes` wants, in order.
template <class Takes>
State walk(Space& space, const Takes& takes) {
  State state = space.start();
  std::uint32_t place = 0;
  for (;;) {
    std::vector<Move> moves = space.moves(state);
    const auto taken =
        std::ranges::find_if(moves, [&](const Move& move) { return move.place >= place && takes(state, move.to); });
    if (taken == moves.end()) return state;
    place = taken->place;
    state = std::move(taken->to);
  }
}

}  // namespace

std::vector<Move> all_moves(Space& space, const State& state) {
  std::vector<Move> moves = space.moves(state);
  std::ranges::move(space.undos(state), std::back_inserter(moves));
  return moves;
}

StopReason run_greedy(Space& space, Costs& costs) {
  walk(space, [&](const State& from, const State& to) { return costs.is_less(costs.of(to), costs.of(from)); });
  return costs.is_spent() ? StopReason::kVisits : StopReason::kNoMove;
}

State after_all_moves(Space& space) {
  return walk(space, [](const State&, const State&) { return true; });
}

StopReason run_beam(Space& space, Costs& costs, std::size_t width) {
  std::vector<State> beam = {space.start()};
  StateSet seen = {beam[0]};
  while (!beam.empty()) {
    std::vector<std::pair<double, State>> next;
    for (const State& state : beam) {
      for (Move& move : space.moves(state)) {
        if (!seen.insert(move.to).second) continue;
        const double cost = costs.of(move.to);
        next.emplace_back(cost, std::move(move.to));
        if (costs.is_spent()) return StopReason::kVisits;
      }
    }
    std::ranges::sort(next);
    next.resize(std::min(next.size(), width));
    beam.clear();
    for (auto& [cost, state] : next) beam.push_back(std::move(state));
  }
  return StopReason::kNoMove;
}

StopReason run_exhaustive(Space& space, Costs& costs) {
  std::vector<State> found = {space.start()};
  StateSet seen = {found[0]};
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (Move& move : all_moves(space, State(found[i]))) {
      if (!seen.insert(move.to).second) continue;
      if (costs.is_spent()) return StopReason::kVisits;
      costs.of(move.to);
      found.push_back(std::move(move.to));
    }
  }
  return StopReason::kExhausted;
}

}  // namespace strata::search
