// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "egraph/runner.h"
#include "machine/machine.h"
#include "plan/plan.h"
#include "vectorize/program_graph.h"
#include "vectorize/rebuild.h"

namespace strata::vectorize {

struct SearchOptions {
  // Names that are switched off: rules, "vectorize" (all layout rules), "algebra" (all others), "exact" (the greedy
  // extraction decides), "joint" (no second round).
  std::set<std::string> without;
  encoding::WeightStatistics statistics;  // of the weights whose contents are known: encodings are for them
  egraph::RunnerLimits limits = {.iterations = 30, .nodes = 100'000, .steps = 1'000'000'000};
  long extraction_work = 50'000;  // extract::Options::work; a distinct layer takes some 300
  double work = 1;                // times all of these limits
  int threads = 1;                // of the team that the plan is for
};

// What an extraction chose.
struct Extracted {
  std::vector<ir::Module> modules;         // of the versions, as they were given
  std::vector<Alternatives> alternatives;  // by version
  plan::SearchStats stats;
};

struct SearchResult : Extracted {
  egraph::RunReport saturation;
  // Another plan, that may be the faster one where ops are joined to regions; nothing where the first one's choice is
  // the best by what ops cost there.
  std::optional<Extracted> in_regions;
};

// Names for SearchOptions::without.
std::vector<std::string> search_names();

// Decides algebra and layout of all versions of a program together: one e-graph (ProgramGraph), saturated by the rules,
// one extraction (Selection), and the chosen expressions as modules again. A second round begins with that choice and
// takes what ops cost in regions: which of the two plans is faster, the search for regions tells. Reads no clock but
// for the seconds that it reports: the same versions give the same plan. A search that met a limit says so in
// SearchStats::stop_reason.
SearchResult search(std::vector<Version> versions, const machine::Machine& machine, const SearchOptions& options);

}  // namespace strata::vectorize
