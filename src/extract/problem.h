// SPDX-License-Identifier: Apache-2.0
// Extraction as an abstract problem: pick one node per needed class so that the roots are covered, nothing needs
// itself, the limits are kept, and the sum of the chosen nodes' costs is least. A class that is needed twice is paid
// once (DAG cost). Knows nothing of e-graphs or tensors.
#pragma once

#include <limits>
#include <string>
#include <vector>

namespace strata::extract {

// The cost of what is impossible.
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Differences of costs that don't matter, relative to the objective.
constexpr double kOptimality = 1e-9;

struct Node {
  double cost = 0;            // finite, >= 0; any unit (seconds)
  std::vector<int> children;  // the classes that it needs; repetitions mean nothing
};

// A chosen node (cls, node) takes up `amount` >= 0 of a limit.
struct Use {
  int cls = 0;
  int node = 0;
  double amount = 0;
};

// The sum of the amounts of the chosen nodes is at most the capacity: memory of one kind, or, with capacity 1 and
// amounts 1, alternatives of which at most one may be chosen.
struct Limit {
  std::string name;
  double capacity = 0;
  std::vector<Use> uses;
};

struct Problem {
  std::vector<std::vector<Node>> classes;
  std::vector<int> roots;
  std::vector<Limit> limits;
};

// Throws std::logic_error if an index is out of range, or a cost, amount or capacity is negative or not finite.
void validate(const Problem& problem);

// The sum of the costs of the chosen nodes that the roots need; each class once. -1 in `choice`: not chosen.
double dag_cost(const Problem& problem, const std::vector<int>& choice);

// Throws std::logic_error, saying where, unless the roots and the children of every chosen node are chosen, no chosen
// node needs itself, and each limit is kept (to kLimitTolerance of its capacity).
void check(const Problem& problem, const std::vector<int>& choice);

// The choice without the classes that the roots don't need.
std::vector<int> only_needed(const Problem& problem, const std::vector<int>& choice);

// Relative; covers the rounding of sums of amounts.
inline constexpr double kLimitTolerance = 1e-9;
inline double allowed(const Limit& limit) { return limit.capacity * (1 + kLimitTolerance); }

// What the choice takes up of the limit.
double usage(const Limit& limit, const std::vector<int>& choice);

// amounts[cls][node]: what the node takes up, by limit.
struct Amount {
  int limit = 0;
  double amount = 0;
};
std::vector<std::vector<std::vector<Amount>>> amounts_by_node(const Problem& problem);

}  // namespace strata::extract
