// SPDX-License-Identifier: Apache-2.0
#include "search/costs.h"

#include <limits>

namespace strata::search {

namespace {

// Sums in another order differ by less.
constexpr double kRounding = 1e-9;

}  // namespace

// FNV-1a, by words.
std::size_t StateHash::operator()(const State& state) const {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::uint32_t word : state) hash = (hash ^ word) * 0x100000001b3;
  return static_cast<std::size_t>(hash ^ (hash >> 32));
}

Costs::Costs(Space& space) : space_(space), limit_(std::numeric_limits<std::int64_t>::max()), best_(space.start()) {
  const double cost = space_.cost(best_);
  known_.emplace(best_, cost);
  least_ = kRounding * cost;
  curve_.push_back({1, cost});
}

double Costs::of(const State& state) {
  if (const auto found = known_.find(state); found != known_.end()) return found->second;
  if (is_spent()) return std::numeric_limits<double>::infinity();
  const double cost = space_.cost(state);
  known_.emplace(state, cost);
  if (is_less(cost, best_cost())) {
    best_ = state;
    curve_.push_back({count(), cost});
  }
  return cost;
}

Result Costs::result(StopReason reason) const {
  Result result;
  result.best = best_;
  result.cost = result.greedy_cost = best_cost();
  result.start_cost = curve_.front().cost;
  result.visits = result.states = count();
  result.curve = curve_;
  result.stop_reason = reason;
  return result;
}

}  // namespace strata::search
