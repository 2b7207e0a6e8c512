// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unordered_map>

#include "search/search.h"

namespace strata::search {

// The costs of states, each asked for once, and the best of them.
class Costs {
 public:
  // Begins with the start.
  explicit Costs(Space& space);

  // Of a state that is not known when the budget is spent: infinity.
  double of(const State& state);

  void set_limit(std::int64_t states) { limit_ = states; }
  bool is_spent() const { return count() >= limit_; }
  std::int64_t count() const { return static_cast<std::int64_t>(known_.size()); }

  // Whether a cost is less than another one by more than rounding.
  bool is_less(double cost, double than) const { return cost < than - least_; }

  double best_cost() const { return curve_.back().cost; }
  const State& best() const { return best_; }

  // All but the method's own part.
  Result result(StopReason reason) const;

 private:
  Space& space_;
  std::unordered_map<State, double, StateHash> known_;
  std::int64_t limit_;
  double least_ = 0;
  State best_;
  std::vector<Improvement> curve_;
};

// Moves, and behind them undos.
std::vector<Move> all_moves(Space& space, const State& state);

// Each method's part, with what it may cost in `costs`.
StopReason run_greedy(Space& space, Costs& costs);
StopReason run_beam(Space& space, Costs& costs, std::size_t width);
StopReason run_exhaustive(Space& space, Costs& costs);

// From the best state that is known, at most so many walks; `walks` says how many there were.
StopReason run_uct(Space& space, Costs& costs, const Options& options, std::int64_t& walks);

}  // namespace strata::search
