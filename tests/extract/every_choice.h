// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <stdexcept>
#include <vector>

#include "extract/problem.h"

namespace strata::extract::fixtures {

// Extends the choice, class by class as they are needed, in every way that costs less than `limit`, which `visit` may
// lower: it is called with each choice that is valid, and its cost.
template <class Visit>
void try_all(const Problem& problem, std::vector<int>& choice, std::vector<int> open, double cost, double& limit,
             const Visit& visit) {
  while (!open.empty() && choice[open.back()] != -1) open.pop_back();
  if (cost >= limit) return;
  if (open.empty()) {
    try {
      check(problem, choice);
    } catch (const std::logic_error&) {
      return;
    }
    visit(choice, cost);
    return;
  }
  const int cls = open.back();
  for (int node = 0; node < std::ssize(problem.classes[cls]); ++node) {
    choice[cls] = node;
    std::vector<int> more = open;
    const auto& children = problem.classes[cls][node].children;
    more.insert(more.end(), children.begin(), children.end());
    try_all(problem, choice, more, cost + problem.classes[cls][node].cost, limit, visit);
  }
  choice[cls] = -1;
}

// The cost of the cheapest choice, by trying all; infinite if there is none. Knows nothing of how it is found.
inline double least_cost(const Problem& problem) {
  std::vector<int> choice(problem.classes.size(), -1);
  double best = std::numeric_limits<double>::infinity();
  try_all(problem, choice, problem.roots, 0, best, [&](const std::vector<int>&, double cost) { best = cost; });
  return best;
}

}  // namespace strata::extract::fixtures
