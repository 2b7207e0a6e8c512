// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <span>
#include <vector>

#include "extract/problem.h"

namespace strata::extract {

// `cls` (-1: a class of `loop`, in every choice) is needed only if a node of `loop` (which contains it) without a child
// in `loop` is chosen; `exits` are these.
struct LoopCut {
  int cls = 0;
  std::vector<int> loop;                   // sorted
  std::vector<std::pair<int, int>> exits;  // class, node
};

// The cut of these classes (sorted), among them `cls` or -1.
LoopCut loop_cut(const Problem& problem, int cls, std::vector<int> loop);

// values[cls][node]: how much of a node a relaxation chooses.
using NodeValues = std::vector<std::vector<double>>;

// How much of each class is needed.
std::vector<double> sums(const NodeValues& values);

// How much of the exits of these classes (sorted) is chosen.
double exit_value(const Problem& problem, std::span<const int> loop, const NodeValues& values);

// Violations below this are the solver's rounding, and not worth a row.
inline constexpr double kLeastViolation = 1e-3;

// Finds the loop cuts that a (fractional) solution violates, by shortest paths: the length of class a -> class b is how
// much a is needed for nodes that don't need b. A cycle through a class that is shorter than the class is needed
// violates the cut of its classes. Finds one for every cycle of an integral solution.
class LoopCuts {
 public:
  explicit LoopCuts(const Problem& problem);

  // Cuts that were given before are not given again.
  std::vector<LoopCut> find(const NodeValues& values, size_t most);

  // Of each component of several classes of which every choice needs one (cut.cls is -1 for that one): the component
  // itself, and the component with one class below it, unless these are too many. The latter add up what the
  // component's classes need of that class, where a row per class would only see the most that one of them needs.
  std::vector<LoopCut> required_components() const;

  bool may_share_a_cycle(int a, int b) const { return component_[a] == component_[b]; }

 private:
  struct Arc {
    int to = 0;
    std::vector<int> nodes;
  };
  void measure(const NodeValues& values);
  std::vector<int> shortest_cycle(int cls);

  const Problem& problem_;
  std::vector<int> component_;
  std::vector<std::vector<Arc>> arcs_;  // within the strongly connected components
  std::vector<std::vector<double>> length_;
  std::vector<double> needed_;
  std::vector<double> distance_;
  std::vector<int> previous_;
  std::set<std::pair<int, std::vector<int>>> given_;
};

}  // namespace strata::extract
