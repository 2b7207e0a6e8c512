// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "extract/problem.h"

namespace strata::extract {

// Pairs of nodes, of two classes, that must not be chosen together.
class Exclusions {
 public:
  using NodeOf = std::pair<int, int>;  // class, node

  void add(NodeOf a, NodeOf b);

  // As limits that hold one of their uses, each between some nodes of one class and some of another. Of two nodes of
  // one class at most one is chosen anyway, so a limit covers all the pairs between its sides: the relaxation of one
  // such row is tighter than that of a row per pair. Nodes of three classes never share a limit, for two of them may
  // be chosen where the third is not.
  std::vector<Limit> limits(const std::string& name) const;

 private:
  std::vector<std::pair<NodeOf, NodeOf>> pairs_;
};

}  // namespace strata::extract
