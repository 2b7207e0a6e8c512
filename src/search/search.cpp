// SPDX-License-Identifier: Apache-2.0
#include "search/search.h"

#include <algorithm>
#include <optional>

#include "search/costs.h"

namespace strata::search {

namespace {

// So many are costed in order rather than by chance: that takes no longer, and finds the optimum.
constexpr std::int64_t kFewStates = 1024;

// All states that moves lead to; nothing: they are more than `limit`.
std::optional<std::vector<State>> all_states(Space& space, std::int64_t limit) {
  std::vector<State> found = {space.start()};
  std::unordered_map<State, bool, StateHash> seen = {{found[0], true}};
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (Move& move : all_moves(space, State(found[i]))) {
      if (!seen.try_emplace(move.to, true).second) continue;
      found.push_back(std::move(move.to));
      if (static_cast<std::int64_t>(found.size()) > limit) return std::nullopt;
    }
  }
  return found;
}

Result uct(Space& space, Costs& costs, const Options& options) {
  run_greedy(space, costs);
  const double greedy_cost = costs.best_cost();
  std::int64_t walks = 0;
  Method method = Method::kUct;
  StopReason reason = StopReason::kVisits;
  costs.set_limit(std::max(options.visits, costs.count()));
  if (const auto all = all_states(space, std::min(options.visits, kFewStates))) {
    method = Method::kExhaustive;
    reason = StopReason::kExhausted;
    for (const State& state : *all) costs.of(state);
  } else {
    reason = run_uct(space, costs, options, walks);
  }
  Result result = costs.result(reason);
  result.greedy_cost = greedy_cost;
  result.method = method;
  if (method == Method::kUct) result.visits = walks;
  return result;
}

}  // namespace

std::string_view to_string(Method method) {
  switch (method) {
    case Method::kGreedy:
      return "greedy";
    case Method::kBeam:
      return "beam";
    case Method::kExhaustive:
      return "exhaustive";
    case Method::kUct:
      return "uct";
  }
  return "";
}

std::string_view to_string(StopReason reason) {
  switch (reason) {
    case StopReason::kExhausted:
      return "exhausted";
    case StopReason::kVisits:
      return "visits";
    case StopReason::kNoMove:
      return "no move";
  }
  return "";
}

Result run(Space& space, const Options& options) {
  Costs costs(space);
  if (options.method == Method::kUct) return uct(space, costs, options);
  StopReason reason = StopReason::kNoMove;
  if (options.method == Method::kGreedy) {
    reason = run_greedy(space, costs);
  } else {
    costs.set_limit(options.visits);
    reason =
        options.method == Method::kBeam ? run_beam(space, costs, options.beam_width) : run_exhaustive(space, costs);
  }
  Result result = costs.result(reason);
  result.method = options.method;
  return result;
}

}  // namespace strata::search
