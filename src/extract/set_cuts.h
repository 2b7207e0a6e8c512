// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <utility>
#include <vector>

#include "extract/loop_cuts.h"

namespace strata::extract {

// Finds violated loop cuts of sets of classes that need not be cycles.
//
// A relaxation needs half of a class for one user and half of it for another, and pays for one half: "at least as much
// as each of them". Where both users are alternatives of one class, all of it is needed. The loop cut of a set says so:
// the classes between, down to what they share, are needed only if one of their ways out is chosen.
//
// The set whose exits are worth least is a minimum cut. Each chosen part of a node is an arc, from its class to one of
// its children or, where it leaves the set for good, to the end; what flows from a class to the end is what the exits
// of the best set allow it. A node of several children needs all of them and guards the set by any one: several
// choices of it are tried.
class SetCuts {
 public:
  explicit SetCuts(const Problem& problem) : problem_(problem) {}

  // Cuts that were given before are not given again.
  std::vector<LoopCut> find(const NodeValues& values, size_t most);

 private:
  const Problem& problem_;
  std::set<std::pair<int, std::vector<int>>> given_;
};

}  // namespace strata::extract
