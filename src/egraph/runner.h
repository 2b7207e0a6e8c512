// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "egraph/egraph.h"
#include "egraph/rewrite.h"

namespace strata::egraph {

enum class StopReason {
  kSaturated,  // no rule has anything to add
  kIterationLimit,
  kNodeLimit,
  kStepLimit,
};

std::string_view to_string(StopReason reason);

struct RunnerLimits {
  std::size_t iterations = 30;
  std::size_t nodes = 10'000;         // reached at most by one application more
  std::size_t steps = 1'000'000'000;  // of matching: classes and nodes looked at; and applications
};

// The back-off scheduler of egg: a rule with more than match_limit << (number of its bans so far) matches applies none
// of them and rests for ban_length << (number of its bans so far) iterations. So no rule can flood the graph before the
// others have had their turn.
struct SchedulerOptions {
  bool back_off = true;  // false: every rule in every iteration
  std::size_t match_limit = 1'000;
  std::size_t ban_length = 5;
  bool incremental = true;  // false: every search looks at the whole graph, not only at what changed since the last one
};

struct RuleReport {
  std::string name;
  std::size_t matches = 0;       // found, those that a ban dropped included
  std::size_t applications = 0;  // that taught the graph an equality
  std::size_t nodes = 0;         // added
  std::size_t steps = 0;         // of matching and applying
  std::size_t bans = 0;
  double seconds = 0;  // of processor time, without the rebuilds
};

struct IterationReport {
  std::size_t nodes = 0;
  std::size_t classes = 0;
  std::size_t matches = 0;
  std::size_t applications = 0;
  double seconds = 0;
};

struct RunReport {
  StopReason stop_reason = StopReason::kSaturated;
  std::size_t nodes = 0;
  std::size_t classes = 0;
  std::size_t memory_bytes = 0;
  std::size_t steps = 0;
  double search_seconds = 0;
  double apply_seconds = 0;
  double rebuild_seconds = 0;
  std::vector<RuleReport> rules;  // as they were given
  std::vector<IterationReport> iterations;

  double seconds() const { return search_seconds + apply_seconds + rebuild_seconds; }
};

// Equality saturation, bounded by work and never by a clock: the same graph and rules give the same graph. Each
// iteration finds the matches of all rules in the same clean graph, applies them, and rebuilds once. Afterwards the
// graph is clean. A match of a guarded rule that has been applied isn't applied again. A rule searches what changed
// since its last search whose matches were applied (as the delta relations of Zhang et al., "Better Together: Unifying
// Datalog and Equality Saturation", 2023).
RunReport run(EGraph& graph, std::span<const Rewrite> rules, const RunnerLimits& limits = {},
              const SchedulerOptions& scheduler = {});

}  // namespace strata::egraph
