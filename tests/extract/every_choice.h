// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <stdexcept>
#include <vector>

#include "extract/problem.h"

namespace strata::extract::testing {

// Extends the choice, class by class as they are needed, in every way that is not dearer than the best one.
inline void try_all(const Problem& problem, std::vector<int>& choice, std::vector<int> open, double cost,
                    double& best) {
  while (!open.empty() && choice[open.back()] != -1) open.pop_back();
  if (cost >= best) return;
  if (open.empty()) {
    try {
      check(problem, choice);
      best = cost;
    } catch (const std::logic_error&) {
    }
    return;
  }
  const int cls = open.back();
  for (int node = 0; node < std::ssize(problem.classes[cls]); ++node) {
    choice[cls] = node;
    std::vector<int> more = open;
    const auto& children = problem.classes[cls][node].children;
    more.insert(more.end(), children.begin(), children.end());
    try_all(problem, choice, more, cost + problem.classes[cls][node].cost, best);
  }
  choice[cls] = -1;
}

// The cost of the cheapest choice, by trying all; infinite if there is none. Knows nothing of how it is found.
inline double least_cost(const Problem& problem) {
  std::vector<int> choice(problem.classes.size(), -1);
  double best = std::numeric_limits<double>::infinity();
  try_all(problem, choice, problem.roots, 0, best);
  return best;
}

}  // namespace strata::extract::testing
