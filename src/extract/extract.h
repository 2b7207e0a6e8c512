// SPDX-License-Identifier: Apache-2.0
// The cheapest choice of a Problem: by integer programming, with a greedy choice as the start and the fallback.
//
// The integer program has a 0/1 variable per node; "one node per needed class" and "a chosen node's children are
// needed" are its rows, limits too. Cycles are forbidden by cuts added when a solution violates them, never by listing
// cycles: of a set L of classes, one is needed only if a node of L without a child in L is chosen (the loop formulas
// of Lin and Zhao, ASSAT, 2004, as linear inequalities).
//
// Parts of the problem that have no class in common are solved alone, equal ones once. A limit that ties them together,
// such as a memory that all must fit, is left out at first. Where the choice exceeds it, it gets a price per amount (a
// Lagrange multiplier; Everett, 1963), which leaves the parts apart: the prices give a bound and choices that keep the
// limit, and only what gap is left between them is for one integer program of all parts.
#pragma once

#include <string>
#include <vector>

#include "extract/problem.h"

namespace strata::extract {

enum class Method {
  kOptimal,   // proven, to 1e-9 of the objective or Options::relative_gap
  kFeasible,  // the work was spent: the integer program's best, better than the greedy one
  kGreedy,
};

struct Options {
  long work = 50'000;  // iterations of the simplex method; hard problems take some 300 a second
  bool exact = true;   // false: greedy only
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
  long work = 0;  // done
  Method method = Method::kGreedy;
  bool is_limited = false;  // more work might have found a better choice
  std::string reason;       // of kFeasible and kGreedy: why not better
  int parts = 0;            // that have no class in common and were solved alone
  int different_parts = 0;
  // Of the integer programs, after presolve; 0 if none was needed.
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

// One thread; reads a clock for Solution::seconds only. Throws a strata::Error (kResource) that names the limits if no
// choice keeps them, or none was found with so much work; std::logic_error if no acyclic choice covers the roots.
Solution solve(const Problem& problem, const Options& options = {});

const char* method_name(Method method);

}  // namespace strata::extract
