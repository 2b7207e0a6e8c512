// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "search/space.h"

namespace strata::search {

enum class Method {
  kGreedy,      // each place once, the first move that lowers the cost
  kBeam,        // the cheapest `beam_width` states after each number of moves
  kExhaustive,  // all states that moves lead to, as far as the visits go
  kUct,         // Monte Carlo tree search from the greedy state; all states where they are few
};

enum class StopReason {
  kExhausted,  // all states that moves lead to were costed: the best is the optimum
  kVisits,     // the budget is spent
  kNoMove,     // the method has no move left that it takes
};

std::string_view to_string(Method method);
std::string_view to_string(StopReason reason);

struct Options {
  Method method = Method::kUct;
  std::int64_t visits = 1000;  // states that may be costed, and walks down the tree; the greedy part may cost more
  std::uint64_t seed = 1;
  std::size_t beam_width = 8;
};

// From so many costed states on the best one had this cost.
struct Improvement {
  std::int64_t states = 0;
  double cost = 0;
  bool operator==(const Improvement&) const = default;
};

struct Result {
  State best;
  double cost = 0;
  double start_cost = 0;
  double greedy_cost = 0;               // of kUct; of the others what they found
  Method method = Method::kUct;         // that decided: kExhaustive where kUct met few states
  std::int64_t visits = 0;              // walks down the tree; of the other methods states
  std::int64_t states = 0;              // costed
  std::vector<Improvement> curve = {};  // begins with the start; falls strictly
  StopReason stop_reason = StopReason::kNoMove;
};

// The cheapest state that the method finds; of equal ones the first. One seed gives one result, on every machine.
// kUct is never worse than kGreedy, which it begins with. A difference of cost that rounding could make (1e-9 of the
// start's) is none.
Result run(Space& space, const Options& options);

// The state after every move, place by place, whatever it costs: for tests.
State after_all_moves(Space& space);

}  // namespace strata::search
