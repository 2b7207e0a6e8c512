// SPDX-License-Identifier: Apache-2.0
#include "extract/loop_cuts.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <queue>

#include "extract/landmarks.h"
#include "extract/presolve.h"

namespace strata::extract {
namespace {

// Of the rows that a component may have for the classes below it, which only speed the solver up. Those of models have
// some hundreds.
constexpr size_t kMostBelowTerms = 1'000'000;

bool has_child_in(const Node& node, std::span<const int> loop) {
  return std::ranges::any_of(node.children, [&](int child) { return std::ranges::binary_search(loop, child); });
}

}  // namespace

std::vector<double> sums(const NodeValues& values) {
  std::vector<double> sums;
  for (const auto& of_class : values) sums.push_back(std::accumulate(of_class.begin(), of_class.end(), 0.0));
  return sums;
}

double exit_value(const Problem& problem, std::span<const int> loop, const NodeValues& values) {
  double sum = 0;
  for (int cls : loop)
    for (size_t node = 0; node < values[cls].size(); ++node)
      if (values[cls][node] > 0 && !has_child_in(problem.classes[cls][node], loop)) sum += values[cls][node];
  return sum;
}

LoopCut loop_cut(const Problem& problem, int cls, std::vector<int> loop) {
  LoopCut cut{cls, std::move(loop), {}};
  for (int on : cut.loop)
    for (int node = 0; node < std::ssize(problem.classes[on]); ++node)
      if (!has_child_in(problem.classes[on][node], cut.loop)) cut.exits.push_back({on, node});
  return cut;
}

LoopCuts::LoopCuts(const Problem& problem)
    : problem_(problem),
      component_(components(problem)),
      arcs_(problem.classes.size()),
      length_(problem.classes.size()),
      needed_(problem.classes.size(), 0),
      distance_(problem.classes.size(), kInfinity),
      previous_(problem.classes.size(), -1) {
  for (int cls = 0; cls < std::ssize(problem.classes); ++cls) {
    std::map<int, std::vector<int>> nodes_of;
    for (int node = 0; node < std::ssize(problem.classes[cls]); ++node)
      for (int child : problem.classes[cls][node].children)
        if (may_share_a_cycle(child, cls)) nodes_of[child].push_back(node);
    for (auto& [child, nodes] : nodes_of) arcs_[cls].push_back({child, std::move(nodes)});
    length_[cls].resize(arcs_[cls].size());
  }
}

void LoopCuts::measure(const NodeValues& values) {
  needed_ = sums(values);
  for (size_t cls = 0; cls < arcs_.size(); ++cls) {
    for (size_t a = 0; a < arcs_[cls].size(); ++a) {
      double through = 0;
      for (int node : arcs_[cls][a].nodes) through += values[cls][node];
      length_[cls][a] = through > kLeastViolation ? std::max(0.0, needed_[cls] - through) : kInfinity;
    }
  }
}

// The classes of the shortest cycle through `cls`, sorted; empty if it is no shorter than the class is needed.
std::vector<int> LoopCuts::shortest_cycle(int cls) {
  const double limit = needed_[cls] - kLeastViolation;
  std::priority_queue<std::pair<double, int>, std::vector<std::pair<double, int>>, std::greater<>> queue;
  std::vector<int> touched, loop;
  distance_[cls] = kInfinity;
  queue.push({0, cls});
  bool is_start = true;
  while (!queue.empty()) {
    const auto [distance, at] = queue.top();
    queue.pop();
    if (at == cls && !is_start) {
      for (int on = previous_[cls]; on != cls; on = previous_[on]) loop.push_back(on);
      loop.push_back(cls);
      break;
    }
    if (!is_start && distance > distance_[at]) continue;
    is_start = false;
    for (size_t a = 0; a < arcs_[at].size(); ++a) {
      const int to = arcs_[at][a].to;
      const double through = distance + length_[at][a];
      if (through >= limit || through >= distance_[to]) continue;
      distance_[to] = through;
      previous_[to] = at;
      touched.push_back(to);
      queue.push({through, to});
    }
  }
  for (int to : touched) distance_[to] = kInfinity;
  std::ranges::sort(loop);
  return loop;
}

std::vector<LoopCut> LoopCuts::required_components() const {
  const Landmarks landmarks = find_landmarks(problem_, component_);
  std::vector<std::vector<int>> members(landmarks.components.size());
  for (int cls = 0; cls < std::ssize(component_); ++cls) members[component_[cls]].push_back(cls);
  std::vector<LoopCut> cuts;
  for (size_t s = 0; s < members.size(); ++s) {
    if (!landmarks.components[s] || members[s].size() < 2) continue;
    cuts.push_back(loop_cut(problem_, -1, members[s]));
    std::set<int> below;
    for (auto [cls, node] : cuts.back().exits) {
      const auto& children = problem_.classes[cls][node].children;
      below.insert(children.begin(), children.end());
    }
    if (below.size() * cuts.back().exits.size() > kMostBelowTerms) continue;
    for (int child : below) {
      if (landmarks.classes[child]) continue;
      std::vector<int> with_child = members[s];
      with_child.insert(std::ranges::lower_bound(with_child, child), child);
      cuts.push_back(loop_cut(problem_, -1, std::move(with_child)));
    }
  }
  return cuts;
}

std::vector<LoopCut> LoopCuts::find(const NodeValues& values, size_t most) {
  measure(values);
  std::vector<LoopCut> cuts;
  std::set<std::vector<int>> loops;
  for (int cls = 0; cls < std::ssize(arcs_) && cuts.size() < most; ++cls) {
    if (arcs_[cls].empty() || needed_[cls] <= kLeastViolation) continue;
    const std::vector<int> loop = shortest_cycle(cls);
    if (loop.empty() || !loops.insert(loop).second) continue;
    const double exits = exit_value(problem_, loop, values);
    for (int on : loop)
      if (needed_[on] > exits + kLeastViolation && given_.insert({on, loop}).second)
        cuts.push_back(loop_cut(problem_, on, loop));
  }
  return cuts;
}

}  // namespace strata::extract
