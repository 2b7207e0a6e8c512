// SPDX-License-Identifier: Apache-2.0
#pragma once

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
  // extraction decides).
  std::set<std::string> without;
  encoding::WeightStatistics statistics;  // of the weights whose contents are known: encodings are for them
  egraph::RunnerLimits limits = {.iterations = 30, .nodes = 100'000, .steps = 1'000'000'000};
  long extraction_work = 50'000;  // extract::Options::work; a distinct layer takes some 300
  double work = 1;                // times all of these limits
  int threads = 1;                // of the team that the plan is for
};

struct SearchResult {
  std::vector<ir::Module> modules;         // of the versions, as they were given
  std::vector<Alternatives> alternatives;  // by version
  plan::SearchStats stats;
  egraph::RunReport saturation;
};

// Names for SearchOptions::without.
std::vector<std::string> search_names();

// Decides algebra and layout of all versions of a program together: one e-graph (ProgramGraph), saturated by the rules,
// one extraction (Selection), and the chosen expressions as modules again. Reads no clock but for the seconds that it
// reports: the same versions give the same plan. A search that met a limit says so in SearchStats::stop_reason.
SearchResult search(std::vector<Version> versions, const machine::Machine& machine, const SearchOptions& options);

}  // namespace strata::vectorize
