// SPDX-License-Identifier: Apache-2.0
// The integer program of a (presolved) problem, solved by CBC.
#pragma once

#include <vector>

#include "extract/problem.h"
#include "extract/work.h"

namespace strata::extract {

struct Outcome {
  std::vector<int> choice;  // the best one found, acyclic and within the limits; empty: none
  double bound = 0;         // no choice costs less; infinite if there is none
  bool is_proven = false;   // the choice is a cheapest one, or there is none
  int variables = 0;
  int constraints = 0;
  int cuts = 0;
  int rounds = 0;
};

// `start` is empty or a choice as it is to be returned. The roots are the classes that every choice needs.
// `allowed_gap` is a cost: a choice that is no farther from the bound counts as proven.
Outcome solve_program(const Problem& problem, const std::vector<int>& start, Work& work, double allowed_gap = 0);

}  // namespace strata::extract
