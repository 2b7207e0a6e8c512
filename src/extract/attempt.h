// SPDX-License-Identifier: Apache-2.0
// One try at a problem: what was found, and whether it settles the question.
#pragma once

#include <string>
#include <vector>

#include "extract/extract.h"
#include "extract/work.h"

namespace strata::extract {

struct Attempt {
  Solution solution;
  bool is_feasible = false;  // the solution keeps the limits
  bool is_refuted = false;   // no choice keeps them
};

// Greedy, or `start` where it keeps the limits; presolve; and the integer programs of what is left, part by part.
Attempt attempt(const Problem& problem, const Options& options, Work& work, std::vector<int> start = {});

// Each part of the problem alone; those that are the same only once.
Attempt attempt_by_parts(const Problem& problem, const Options& options, Work& work);

void set_choice(const Problem& problem, std::vector<int> choice, Solution& solution);
void set_bound(double bound, Solution& solution);

// "the work of 100 iterations of the simplex method"
std::string work_text(const Options& options);

}  // namespace strata::extract
