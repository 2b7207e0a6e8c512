// SPDX-License-Identifier: Apache-2.0
#include "extract/set_cuts.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace strata::extract {
namespace {

// Parts of nodes, and of flows, that are the solver's rounding.
constexpr double kRounding = 1e-7;
// Of what is in the relaxation wholly nothing can be missing.
constexpr double kWhole = 1 - 1e-6;

// Sets by which a class is needed more than their exits allow are worth a row from here on.
constexpr double kLeastMissing = 10 * kLeastViolation;

// Which of a node's children it is counted for: those that are needed in part only are worth it.
enum class Guard { kScarcest, kFirst, kLast };

// -1: none.
int guard_of(const Node& node, const std::vector<double>& needed, Guard guard) {
  int found = -1;
  for (const int child : node.children) {
    if (needed[child] >= kWhole) continue;
    const bool is_better =
        guard == Guard::kLast || (guard == Guard::kScarcest && found != -1 && needed[child] < needed[found]);
    if (found == -1 || is_better) found = child;
  }
  return found;
}

// How much of a class can flow to the end, by augmenting paths (Edmonds and Karp, 1972).
class Network {
 public:
  Network(const Problem& problem, const NodeValues& values, const std::vector<double>& needed, Guard guard)
      : end_(static_cast<int>(values.size())), arcs_of_(values.size() + 1), via_(values.size() + 1, kNone) {
    for (int cls = 0; cls < end_; ++cls) {
      std::map<int, double> capacity;
      for (size_t node = 0; node < values[cls].size(); ++node) {
        if (values[cls][node] <= kRounding) continue;
        const int child = guard_of(problem.classes[cls][node], needed, guard);
        capacity[child == -1 ? end_ : child] += values[cls][node];
      }
      for (const auto& [to, most] : capacity) add_arc(cls, to, most);
    }
  }

  // The smaller of `enough` and what flows from the class to the end.
  double flow_from(int cls, double enough) {
    for (const auto& [arc, most] : used_) left_[arc] += most, left_[arc ^ 1] -= most;
    used_.clear();
    double flow = 0;
    while (flow < enough && find_path(cls)) {
      double most = enough;
      for (int at = end_; at != cls; at = to_[via_[at] ^ 1]) most = std::min(most, left_[via_[at]]);
      for (int at = end_; at != cls; at = to_[via_[at] ^ 1]) {
        left_[via_[at]] -= most, left_[via_[at] ^ 1] += most;
        used_.emplace_back(via_[at], most);
      }
      flow += most;
    }
    return flow;
  }

  // Sorted: the smallest set whose exits are all that flows, where that is less than enough.
  std::vector<int> set() const {
    std::vector<int> set = reached_;
    std::ranges::sort(set);
    return set;
  }

 private:
  static constexpr int kNone = -1, kStart = -2;

  void add_arc(int from, int to, double most) {
    for (const auto& [at, other, capacity] : {std::tuple(from, to, most), std::tuple(to, from, 0.0)}) {
      arcs_of_[at].push_back(static_cast<int>(to_.size()));
      to_.push_back(other);
      left_.push_back(capacity);
    }
  }

  bool find_path(int cls) {
    for (const int reached : reached_) via_[reached] = kNone;
    via_[end_] = kNone;
    via_[cls] = kStart;
    reached_.assign(1, cls);
    for (size_t i = 0; i < reached_.size(); ++i) {
      for (const int arc : arcs_of_[reached_[i]]) {
        if (left_[arc] <= kRounding || via_[to_[arc]] != kNone) continue;
        via_[to_[arc]] = arc;
        if (to_[arc] == end_) return true;
        reached_.push_back(to_[arc]);
      }
    }
    return false;
  }

  const int end_;
  std::vector<std::vector<int>> arcs_of_;  // of each class, back ones too: an arc and its back one differ in one bit
  std::vector<int> to_;
  std::vector<double> left_;                  // of each arc: what more can flow
  std::vector<std::pair<int, double>> used_;  // arcs of the last flow, and how much took them
  std::vector<int> via_;                      // the arc by which the last search came to a class
  std::vector<int> reached_;                  // by it
};

}  // namespace

std::vector<LoopCut> SetCuts::find(const NodeValues& values, size_t most) {
  const std::vector<double> needed = sums(values);
  std::vector<LoopCut> cuts;
  for (const Guard guard : {Guard::kScarcest, Guard::kFirst, Guard::kLast}) {
    Network network(problem_, values, needed, guard);
    for (int cls = 0; cls < std::ssize(needed) && cuts.size() < most; ++cls) {
      const double enough = needed[cls] - kLeastMissing;
      if (enough <= 0 || network.flow_from(cls, enough) >= enough) continue;
      std::vector<int> set = network.set();
      const bool is_violated = needed[cls] > exit_value(problem_, set, values) + kLeastViolation;
      if (is_violated && given_.insert({cls, set}).second) cuts.push_back(loop_cut(problem_, cls, std::move(set)));
    }
  }
  return cuts;
}

}  // namespace strata::extract
