// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "extract/problem.h"

namespace strata::extract {

// Strongly connected component of each class, by the nodes' children; only classes of one component can be on a cycle.
std::vector<int> components(const Problem& problem);

// A smaller problem whose cheapest choices, restored, are cheapest choices of the original. Taken out: classes out of
// reach, nodes that can't be in a choice cheaper than `upper_bound`, nodes that another one of the class dominates,
// classes without alternatives, and children that every choice needs anyway.
struct Presolved {
  Problem problem;  // its roots are all the classes that are known to be in every choice
  bool is_infeasible = false;
  double offset = 0;                      // cost of what was taken out and is in every choice
  std::vector<int> class_of;              // the original class of each class
  std::vector<std::vector<int>> node_of;  // and of each of its nodes
  std::vector<int> fixed;                 // original classes that were taken out for their only node: that node
};
Presolved presolve(const Problem& problem, double upper_bound);

// The original problem's choice from the smaller one's, and back: -1 where the smaller one hasn't the node.
std::vector<int> restore(const Problem& original, const Presolved& presolved, const std::vector<int>& choice);
std::vector<int> project(const Presolved& presolved, const std::vector<int>& original_choice);

}  // namespace strata::extract
