// SPDX-License-Identifier: Apache-2.0
// The cheapest choice of a Problem: by integer programming, with a greedy choice as the start and the fallback.
//
// The integer program has a 0/1 variable per node; "one node per needed class" and "a chosen node's children are
// needed" are its rows, limits too. Cycles are forbidden by cuts added when a solution violates them, never by listing
// cycles: of a set L of classes, one is needed only if a node of L without a child in L is chosen (the loop formulas
// of Lin and Zhao, ASSAT, 2004, as linear inequalities).
#pragma once

#include <string>
#include <vector>

#include "extract/problem.h"

namespace strata::extract {

enum class Method {
  kOptimal,   // proven, to 1e-9 of the objective or Options::relative_gap
  kFeasible,  // the time ran out: the integer program's best, better than the greedy one
  kGreedy,
};

struct Options {
  double time_limit_s = 5;
  bool exact = true;  // false: greedy only
  // A choice this near to the bound, in parts of the objective, is good enough: among choices that cost almost the same
  // the proof takes most of the time.
  double relative_gap = 0;
};

// objective and bound are in the unit of the costs; no choice costs less than the bound.
struct Solution {
  std::vector<int> choice;  // the node of each class; -1: not needed
  double objective = 0;     // dag_cost of the choice
  double bound = 0;
  double gap = 0;  // (objective - bound) / objective
  double seconds = 0;
  Method method = Method::kGreedy;
  std::string reason;  // of kFeasible and kGreedy: why not better
  // Of the integer program, after presolve; 0 if none was needed.
  int variables = 0;
  int constraints = 0;
  int cuts = 0;    // that forbid cycles
  int rounds = 0;  // of solving and adding such cuts
  // Limits that a greedy choice doesn't keep; always empty in what solve() returns.
  std::vector<int> exceeded;
};

// Classes in the order of their DAG costs, then single exchanges of nodes while they help. Always acyclic. Keeps the
// limits where it can; see `exceeded`. std::logic_error if no acyclic choice covers the roots.
Solution greedy(const Problem& problem);

// One thread; deterministic unless the time limit strikes. Throws a strata::Error (kResource) that names the limits if
// no choice keeps them, or none was found in time; std::logic_error if no acyclic choice covers the roots.
Solution solve(const Problem& problem, const Options& options = {});

const char* method_name(Method method);

}  // namespace strata::extract
