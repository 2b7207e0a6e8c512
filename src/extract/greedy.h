// SPDX-License-Identifier: Apache-2.0
// The parts of the greedy extraction that the exact one uses too.
#pragma once

#include <vector>

#include "extract/problem.h"

namespace strata::extract {

// costs[cls][node], in place of the nodes' own.
using Costs = std::vector<std::vector<double>>;
Costs own_costs(const Problem& problem);

// A node for each class that can be built, acyclic; -1 for the others. Knuth's generalisation of Dijkstra's algorithm
// (1977) with the DAG cost of what is below a node: classes are settled cheapest first, so a node's children are
// settled before it. After `walk_budget` visits of classes (some 0.2 s by default), what is below two children counts
// twice.
std::vector<int> cheapest_first(const Problem& problem, const Costs& costs, long walk_budget = 50'000'000);

struct Value {
  double excess = 0;  // by how much the limits are exceeded, in capacities; infinite: cyclic or incomplete
  double cost = 0;
};

// Exchanges single nodes of `choice`, which has a node for every class that it may come to need, while the excess or,
// at the same excess, the cost falls.
class LocalSearch {
 public:
  explicit LocalSearch(const Problem& problem);
  Value evaluate(const std::vector<int>& choice);
  Value improve(std::vector<int>& choice);

 private:
  bool visit(int cls, const std::vector<int>& choice);
  double excess(const std::vector<int>& choice) const;
  bool exchange(int cls, std::vector<int>& choice, Value& best);

  const Problem& problem_;
  std::vector<std::vector<std::vector<Amount>>> amounts_;
  std::vector<int> state_;                    // of each class: open_ or open_ + 1 (done) if the last walk saw it
  std::vector<int> needed_;                   // the classes of the last walk, children first
  std::vector<std::pair<int, size_t>> path_;  // open classes, and the next child of each
  int open_ = 0;
  long steps_ = 0;
};

// Whether the limit has room for any one of its uses, but not for two: they exclude each other.
bool holds_one_use(const Limit& limit);

// The best of several greedy choices, for all classes that can be built; the last ones price the limits.
std::vector<int> greedy_choice(const Problem& problem);

bool is_better(const Value& a, const Value& b);

}  // namespace strata::extract
