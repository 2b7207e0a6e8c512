// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "extract/problem.h"

namespace strata::extract {

// A part of a problem that has no class and no limit in common with the others: the cheapest choice of the problem is
// that of each of its parts.
struct Part {
  Problem problem;
  std::vector<int> class_of;  // the whole problem's class of each class, ascending
};

// The parts, in the order of their first classes, of what the roots reach.
std::vector<Part> split(const Problem& problem);

// The part's share of a choice of the whole problem, and back.
std::vector<int> share(const Part& part, const std::vector<int>& whole_choice);
void put_share(const Part& part, const std::vector<int>& choice, std::vector<int>& whole_choice);

// Equal for problems that are the same but for the names of their limits.
std::string content_key(const Problem& problem);

}  // namespace strata::extract
