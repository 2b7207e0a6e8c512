// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "extract/problem.h"

namespace strata::extract {

// What every acyclic choice needs: these classes, and a class of each of these components.
struct Landmarks {
  std::vector<char> classes;
  std::vector<char> components;
};

// By the greatest fixpoint of "a class is needed with itself and with what all of its nodes are needed with" (Keyder,
// Richter and Helmert, Sound and complete landmarks for and/or graphs, 2010). `component` is components(problem).
// Only the roots on problems so large that it would take more than 128 MiB.
Landmarks find_landmarks(const Problem& problem, const std::vector<int>& component);

}  // namespace strata::extract
