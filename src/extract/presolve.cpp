// SPDX-License-Identifier: Apache-2.0
#include "extract/presolve.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <queue>
#include <tuple>

#include "extract/landmarks.h"

namespace strata::extract {
namespace {

constexpr int kMaxPasses = 20;

void sort_distinct(std::vector<int>& values) {
  std::ranges::sort(values);
  values.erase(std::ranges::unique(values).begin(), values.end());
}

// Tarjan's algorithm (1972), without recursion: e-graphs are deep.
class Components {
 public:
  explicit Components(const Problem& problem)
      : edges_(problem.classes.size()),
        index_(problem.classes.size(), -1),
        low_(problem.classes.size(), 0),
        component_(problem.classes.size(), -1) {
    for (size_t cls = 0; cls < edges_.size(); ++cls) {
      for (const Node& node : problem.classes[cls])
        edges_[cls].insert(edges_[cls].end(), node.children.begin(), node.children.end());
      sort_distinct(edges_[cls]);
    }
  }

  std::vector<int> run() {
    for (int cls = 0; cls < std::ssize(edges_); ++cls)
      if (index_[cls] == -1) search(cls);
    return component_;
  }

 private:
  void open(int cls) {
    index_[cls] = low_[cls] = next_index_++;
    stack_.push_back(cls);
    path_.push_back({cls, 0});
  }

  void search(int start) {
    open(start);
    while (!path_.empty()) {
      auto& [cls, next] = path_.back();
      if (next < edges_[cls].size()) {
        const int child = edges_[cls][next++];
        if (index_[child] == -1)
          open(child);
        else if (component_[child] == -1)
          low_[cls] = std::min(low_[cls], index_[child]);
      } else {
        close(cls);
      }
    }
  }

  void close(int cls) {
    path_.pop_back();
    if (!path_.empty()) low_[path_.back().first] = std::min(low_[path_.back().first], low_[cls]);
    if (low_[cls] != index_[cls]) return;
    for (bool more = true; more; stack_.pop_back()) {
      component_[stack_.back()] = components_;
      more = stack_.back() != cls;
    }
    ++components_;
  }

  std::vector<std::vector<int>> edges_;
  std::vector<int> index_, low_, component_;
  std::vector<int> stack_;
  std::vector<std::pair<int, size_t>> path_;
  int next_index_ = 0, components_ = 0;
};

struct Candidate : Node {
  int original = 0;
  std::vector<Amount> amounts;
};

class Presolve {
 public:
  Presolve(const Problem& original, double upper_bound)
      : upper_bound_(upper_bound), classes_(original.classes.size()), limits_(original.limits) {
    const auto amounts = amounts_by_node(original);
    for (int cls = 0; cls < count(); ++cls)
      for (int node = 0; node < std::ssize(original.classes[cls]); ++node) {
        classes_[cls].push_back({original.classes[cls][node], node, amounts[cls][node]});
        sort_distinct(classes_[cls].back().children);
      }
    required_.assign(classes_.size(), 0);
    for (int root : original.roots) required_[root] = 1;
    result_.fixed.assign(classes_.size(), -1);
  }

  Presolved run() && {
    changed_ = true;
    for (int pass = 0; changed_ && pass < kMaxPasses; ++pass) {
      changed_ = false;
      find_required();
      drop_impossible();
      if (find_infeasible()) return std::move(result_);
      drop_unreachable();
      if (pass == 0) find_landmark_classes();
      drop_dominated();
      drop_required_children();
      drop_without_alternatives();
    }
    find_required();
    if (!find_infeasible()) compress();
    return std::move(result_);
  }

 private:
  int count() const { return static_cast<int>(classes_.size()); }

  template <typename Predicate>
  void drop_nodes(int cls, Predicate&& predicate) {
    if (std::erase_if(classes_[cls], predicate) > 0) changed_ = true;
  }

  bool find_infeasible() {
    for (int cls = 0; cls < count(); ++cls) result_.is_infeasible |= required_[cls] && classes_[cls].empty();
    return result_.is_infeasible;
  }

  // Roots, and what all nodes of a required class need.
  void find_required() {
    std::vector<int> stack;
    for (int cls = 0; cls < count(); ++cls)
      if (required_[cls]) stack.push_back(cls);
    while (!stack.empty()) {
      const int cls = stack.back();
      stack.pop_back();
      if (classes_[cls].empty()) continue;
      std::vector<int> common = classes_[cls].front().children;
      for (const Candidate& node : classes_[cls]) {
        std::vector<int> both;
        std::ranges::set_intersection(common, node.children, std::back_inserter(both));
        common = std::move(both);
      }
      for (int child : common)
        if (!required_[child]) required_[child] = 1, stack.push_back(child);
    }
  }

  Problem as_problem() const {
    Problem problem;
    problem.classes.resize(classes_.size());
    for (int cls = 0; cls < count(); ++cls) {
      problem.classes[cls].assign(classes_[cls].begin(), classes_[cls].end());
      if (required_[cls]) problem.roots.push_back(cls);
    }
    return problem;
  }

  // More than find_required() sees, and dearer.
  void find_landmark_classes() {
    const Problem problem = as_problem();
    const Landmarks landmarks = find_landmarks(problem, components(problem));
    for (int cls = 0; cls < count(); ++cls) {
      changed_ |= landmarks.classes[cls] && !required_[cls];
      required_[cls] = landmarks.classes[cls];
    }
  }

  // For each class the least that a choice with it costs: the most expensive path below it, if it is the cheapest one.
  // Infinite if it can't be built.
  std::vector<double> least_costs() const {
    std::vector<double> least(classes_.size(), kInfinity);
    std::vector<std::vector<std::pair<int, int>>> users(classes_.size());
    std::vector<std::vector<size_t>> missing(classes_.size());
    std::priority_queue<std::pair<double, int>, std::vector<std::pair<double, int>>, std::greater<>> queue;
    for (int cls = 0; cls < count(); ++cls)
      for (int node = 0; node < std::ssize(classes_[cls]); ++node) {
        const Candidate& candidate = classes_[cls][node];
        missing[cls].push_back(candidate.children.size());
        for (int child : candidate.children) users[child].push_back({cls, node});
        if (candidate.children.empty()) queue.push({candidate.cost, cls});
      }
    while (!queue.empty()) {
      const auto [cost, cls] = queue.top();
      queue.pop();
      if (least[cls] != kInfinity) continue;
      least[cls] = cost;
      for (auto [user, node] : users[cls])
        if (--missing[user][node] == 0) queue.push({cost + classes_[user][node].cost, user});
    }
    return least;
  }

  // Nodes that need their own class or one that can't be built, exceed a limit alone, or cost too much.
  void drop_impossible() {
    const std::vector<double> least = least_costs();
    std::vector<double> least_node(classes_.size(), 0);
    double least_required = 0;
    for (int cls = 0; cls < count(); ++cls)
      if (required_[cls] && !classes_[cls].empty())
        least_required += least_node[cls] = std::ranges::min(classes_[cls], {}, &Candidate::cost).cost;
    const double most = (upper_bound_ - result_.offset) + 1e-9 * upper_bound_;
    for (int cls = 0; cls < count(); ++cls)
      drop_nodes(cls, [&](const Candidate& node) {
        double below = 0;
        for (int child : node.children) below = std::max(below, child == cls ? kInfinity : least[child]);
        return below == kInfinity || node.cost + below > most || node.cost + least_required - least_node[cls] > most ||
               std::ranges::any_of(
                   node.amounts, [&](const Amount& amount) { return amount.amount > allowed(limits_[amount.limit]); });
      });
  }

  void drop_unreachable() {
    std::vector<char> reached(classes_.size(), 0);
    std::vector<int> stack;
    const auto reach = [&](int cls) {
      if (!reached[cls]) reached[cls] = 1, stack.push_back(cls);
    };
    for (int cls = 0; cls < count(); ++cls)
      if (required_[cls]) reach(cls);
    while (!stack.empty()) {
      const int cls = stack.back();
      stack.pop_back();
      for (const Candidate& node : classes_[cls]) std::ranges::for_each(node.children, reach);
    }
    for (int cls = 0; cls < count(); ++cls)
      if (!reached[cls]) classes_[cls].clear();
  }

  static bool takes_no_more(const Candidate& a, const Candidate& b) {
    return std::ranges::all_of(a.amounts, [&](const Amount& of_a) {
      const auto of_b = std::ranges::find(b.amounts, of_a.limit, &Amount::limit);
      return of_a.amount == 0 || (of_b != b.amounts.end() && of_a.amount <= of_b->amount);
    });
  }

  static bool dominates(const Candidate& a, const Candidate& b) {
    return a.cost <= b.cost && std::ranges::includes(b.children, a.children) && takes_no_more(a, b);
  }

  void drop_dominated() {
    for (int cls = 0; cls < count(); ++cls) {
      std::vector<Candidate>& nodes = classes_[cls];
      if (nodes.size() < 2) continue;
      std::ranges::sort(
          nodes, {}, [](const Candidate& node) { return std::tuple(node.cost, node.children.size(), node.original); });
      std::vector<Candidate> kept;
      for (Candidate& node : nodes)
        if (std::ranges::none_of(kept, [&](const Candidate& other) { return dominates(other, node); }))
          kept.push_back(std::move(node));
      changed_ |= kept.size() < nodes.size();
      nodes = std::move(kept);
    }
  }

  // An edge to a class that is required anyway only matters for cycles.
  void drop_required_children() {
    const std::vector<int> component = components(as_problem());
    for (int cls = 0; cls < count(); ++cls)
      for (Candidate& node : classes_[cls])
        changed_ |= std::erase_if(node.children, [&](int child) {
                      return required_[child] && component[child] != component[cls];
                    }) > 0;
  }

  // A class with one node, which is free or required and takes up nothing: its users need its children instead.
  void drop_without_alternatives() {
    std::vector<std::vector<std::pair<int, int>>> users(classes_.size());
    for (int cls = 0; cls < count(); ++cls)
      for (int node = 0; node < std::ssize(classes_[cls]); ++node)
        for (int child : classes_[cls][node].children) users[child].push_back({cls, node});
    for (int cls = 0; cls < count(); ++cls) {
      if (classes_[cls].size() != 1) continue;
      const Candidate node = classes_[cls].front();
      const bool is_free = node.cost == 0;
      const bool is_own_child = std::ranges::binary_search(node.children, cls);
      const bool is_cheap_to_copy = node.children.size() < 3 || users[cls].size() < 3;
      if (is_own_child || !(required_[cls] || is_free) || !node.amounts.empty() || !is_cheap_to_copy) continue;
      for (int child : node.children) users[child].insert(users[child].end(), users[cls].begin(), users[cls].end());
      for (auto [user, index] : users[cls]) {
        // Absent by now where the edge was listed twice or its class was taken out before.
        if (index >= std::ssize(classes_[user])) continue;
        std::vector<int>& children = classes_[user][index].children;
        if (std::erase(children, cls) == 0) continue;
        children.insert(children.end(), node.children.begin(), node.children.end());
        sort_distinct(children);
      }
      take_out(cls, node);
    }
  }

  void take_out(int cls, const Candidate& node) {
    result_.fixed[cls] = node.original;
    if (required_[cls]) {
      required_[cls] = 0;
      for (int child : node.children) required_[child] = 1;
      result_.offset += node.cost;
    }
    classes_[cls].clear();
    changed_ = true;
  }

  void compress() {
    std::vector<int> position(classes_.size(), -1);
    for (int cls = 0; cls < count(); ++cls)
      if (!classes_[cls].empty()) {
        position[cls] = static_cast<int>(result_.class_of.size());
        result_.class_of.push_back(cls);
        if (required_[cls]) result_.problem.roots.push_back(position[cls]);
      }
    for (Limit& limit : limits_) limit.uses.clear();
    for (int cls : result_.class_of) {
      result_.node_of.emplace_back();
      result_.problem.classes.emplace_back();
      for (Candidate& node : classes_[cls]) {
        for (int& child : node.children) child = position[child];
        for (const Amount& amount : node.amounts)
          limits_[amount.limit].uses.push_back(
              {position[cls], static_cast<int>(result_.node_of.back().size()), amount.amount});
        result_.node_of.back().push_back(node.original);
        result_.problem.classes.back().push_back(std::move(node));
      }
    }
    result_.problem.limits = std::move(limits_);
  }

  const double upper_bound_;
  std::vector<std::vector<Candidate>> classes_;
  std::vector<Limit> limits_;
  std::vector<char> required_;
  bool changed_ = false;
  Presolved result_;
};

}  // namespace

std::vector<int> components(const Problem& problem) { return Components(problem).run(); }

Presolved presolve(const Problem& problem, double upper_bound) { return Presolve(problem, upper_bound).run(); }

std::vector<int> restore(const Problem& original, const Presolved& presolved, const std::vector<int>& choice) {
  std::vector<int> restored = presolved.fixed;
  for (size_t cls = 0; cls < choice.size(); ++cls)
    if (choice[cls] != -1) restored[presolved.class_of[cls]] = presolved.node_of[cls][choice[cls]];
  return only_needed(original, restored);
}

std::vector<int> project(const Presolved& presolved, const std::vector<int>& original_choice) {
  std::vector<int> choice(presolved.class_of.size(), -1);
  for (size_t cls = 0; cls < choice.size(); ++cls) {
    const auto& nodes = presolved.node_of[cls];
    const auto found = std::ranges::find(nodes, original_choice[presolved.class_of[cls]]);
    if (found != nodes.end()) choice[cls] = static_cast<int>(found - nodes.begin());
  }
  return choice;
}

}  // namespace strata::extract
