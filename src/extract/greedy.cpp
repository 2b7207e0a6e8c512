// SPDX-License-Identifier: Apache-2.0
#include "extract/greedy.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <tuple>

#include "base/error.h"
#include "extract/extract.h"

namespace strata::extract {
namespace {

// Visits of classes: bounds the work on huge problems, to some 0.2 s.
constexpr long kSearchBudget = 5'000'000;
constexpr int kPricingRounds = 16;

std::vector<int> distinct(std::vector<int> children) {
  std::ranges::sort(children);
  children.erase(std::ranges::unique(children).begin(), children.end());
  return children;
}

class CheapestFirst {
 public:
  CheapestFirst(const Problem& problem, const Costs& costs, long walk_budget)
      : problem_(problem),
        costs_(costs),
        walk_budget_(walk_budget),
        choice_(problem.classes.size(), -1),
        total_(problem.classes.size(), 0),
        seen_(problem.classes.size(), 0),
        users_(problem.classes.size()),
        missing_(problem.classes.size()) {}

  std::vector<int> run() {
    for (int cls = 0; cls < std::ssize(problem_.classes); ++cls)
      for (int node = 0; node < std::ssize(problem_.classes[cls]); ++node) enter(cls, node);
    while (!queue_.empty()) {
      const auto [cost, cls, node] = queue_.top();
      queue_.pop();
      if (choice_[cls] == -1) settle(cls, node, cost);
    }
    return choice_;
  }

 private:
  void enter(int cls, int node) {
    const std::vector<int> children = distinct(problem_.classes[cls][node].children);
    missing_[cls].push_back(static_cast<int>(children.size()));
    for (int child : children) users_[child].push_back({cls, node});
    if (children.empty()) queue_.push({costs_[cls][node], cls, node});
  }

  void settle(int cls, int node, double cost) {
    choice_[cls] = node;
    total_[cls] = cost;
    for (auto [user, user_node] : users_[cls])
      if (--missing_[user][user_node] == 0 && choice_[user] == -1)
        queue_.push({cost_with(user, user_node), user, user_node});
  }

  // Each class below the node once; past the budget, each as often as it is needed.
  double cost_with(int cls, int node) {
    double cost = costs_[cls][node];
    std::vector<int>& stack = stack_;
    stack = problem_.classes[cls][node].children;
    if (steps_ >= walk_budget_) {
      for (int child : stack) cost += total_[child];
      return cost;
    }
    ++stamp_;
    while (!stack.empty()) {
      const int below = stack.back();
      stack.pop_back();
      if (seen_[below] == stamp_) continue;
      seen_[below] = stamp_;
      ++steps_;
      cost += costs_[below][choice_[below]];
      const auto& children = problem_.classes[below][choice_[below]].children;
      stack.insert(stack.end(), children.begin(), children.end());
    }
    return cost;
  }

  using Ready = std::tuple<double, int, int>;  // cost, class, node
  const Problem& problem_;
  const Costs& costs_;
  const long walk_budget_;
  std::vector<int> choice_;
  std::vector<double> total_;
  std::vector<int> seen_;
  std::vector<std::vector<std::pair<int, int>>> users_;
  std::vector<std::vector<int>> missing_;  // children of each node that are not settled
  std::vector<int> stack_;
  std::priority_queue<Ready, std::vector<Ready>, std::greater<>> queue_;
  int stamp_ = 0;
  long steps_ = 0;
};

// The costs with a price on what a node takes up.
Costs priced(const Problem& problem, const std::vector<double>& prices) {
  Costs costs = own_costs(problem);
  for (size_t l = 0; l < problem.limits.size(); ++l)
    for (const Use& use : problem.limits[l].uses) costs[use.cls][use.node] += prices[l] * use.amount;
  return costs;
}

// Doubles the price of what the choice takes too much of, from a tenth of its cost for the whole capacity.
void raise_prices(const Problem& problem, const std::vector<int>& choice, double cost, std::vector<double>& prices) {
  for (size_t l = 0; l < prices.size(); ++l) {
    const Limit& limit = problem.limits[l];
    if (usage(limit, choice) <= allowed(limit)) continue;
    const double first = 0.1 * (cost > 0 ? cost : 1) / (limit.capacity > 0 ? limit.capacity : 1);
    prices[l] = prices[l] > 0 ? 2 * prices[l] : first;
  }
}

Costs with_one_use(const Costs& costs, const Limit& limit, const Use& kept) {
  Costs only = costs;
  for (const Use& use : limit.uses) {
    if (use.cls != kept.cls || use.node != kept.node) only[use.cls][use.node] = kInfinity;
  }
  return only;
}

// What several parts of a problem must agree on, no exchange in one of them can change: of each limit that has room for
// one use, each is tried by itself, and the best stays for the limits after it.
void agree_on_uses(const Problem& problem, LocalSearch& search, std::vector<int>& best, Value& value) {
  Costs costs = own_costs(problem);
  for (const Limit& limit : problem.limits) {
    if (!holds_one_use(limit) || usage(limit, only_needed(problem, best)) <= allowed(limit)) continue;
    Costs agreed = costs;
    for (const Use& kept : limit.uses) {
      const Costs only = with_one_use(costs, limit, kept);
      std::vector<int> candidate = cheapest_first(problem, only);
      const Value candidate_value = search.improve(candidate);
      if (!is_better(candidate_value, value)) continue;
      best = candidate;
      value = candidate_value;
      agreed = only;
    }
    costs = std::move(agreed);
  }
}

}  // namespace

bool holds_one_use(const Limit& limit) {
  std::vector<double> amounts;
  for (const Use& use : limit.uses) amounts.push_back(use.amount);
  if (amounts.size() < 2) return false;
  std::ranges::sort(amounts);
  return amounts.back() <= allowed(limit) && amounts[0] + amounts[1] > allowed(limit);
}

Costs own_costs(const Problem& problem) {
  Costs costs(problem.classes.size());
  for (size_t cls = 0; cls < costs.size(); ++cls)
    for (const Node& node : problem.classes[cls]) costs[cls].push_back(node.cost);
  return costs;
}

std::vector<int> cheapest_first(const Problem& problem, const Costs& costs, long walk_budget) {
  return CheapestFirst(problem, costs, walk_budget).run();
}

bool is_better(const Value& a, const Value& b) {
  // Differences of rounding are no progress, and would let a search run in circles.
  constexpr double kRounding = 1e-12;
  if (a.excess != b.excess) return a.excess < b.excess * (1 - kRounding);
  return a.cost < b.cost * (1 - kRounding);
}

LocalSearch::LocalSearch(const Problem& problem)
    : problem_(problem), amounts_(amounts_by_node(problem)), state_(problem.classes.size(), 0) {}

// Depth first from the class; false if a class is below itself or has no node.
bool LocalSearch::visit(int cls, const std::vector<int>& choice) {
  const auto open = [&](int opened) {
    if (choice[opened] == -1) return false;
    state_[opened] = open_;
    path_.push_back({opened, 0});
    return true;
  };
  path_.clear();
  if (state_[cls] == open_ + 1) return true;
  if (!open(cls)) return false;
  while (!path_.empty()) {
    auto& [top, next] = path_.back();
    const auto& children = problem_.classes[top][choice[top]].children;
    if (next == children.size()) {
      state_[top] = open_ + 1;
      needed_.push_back(top);
      path_.pop_back();
      continue;
    }
    const int child = children[next++];
    if (state_[child] == open_ || (state_[child] < open_ && !open(child))) return false;
  }
  return true;
}

double LocalSearch::excess(const std::vector<int>& choice) const {
  if (problem_.limits.empty()) return 0;
  std::vector<double> used(problem_.limits.size(), 0);
  for (int cls : needed_)
    for (const Amount& amount : amounts_[cls][choice[cls]]) used[amount.limit] += amount.amount;
  double sum = 0;
  for (size_t l = 0; l < used.size(); ++l) {
    const Limit& limit = problem_.limits[l];
    if (used[l] > allowed(limit)) sum += (used[l] - limit.capacity) / (limit.capacity > 0 ? limit.capacity : 1);
  }
  return sum;
}

Value LocalSearch::evaluate(const std::vector<int>& choice) {
  open_ += 2;
  needed_.clear();
  for (int root : problem_.roots)
    if (!visit(root, choice)) return {kInfinity, kInfinity};
  steps_ += std::ssize(needed_);
  double cost = 0;
  for (int cls : needed_) cost += problem_.classes[cls][choice[cls]].cost;
  return {excess(choice), cost};
}

bool LocalSearch::exchange(int cls, std::vector<int>& choice, Value& best) {
  bool changed = false;
  for (int node = 0; node < std::ssize(problem_.classes[cls]) && steps_ < kSearchBudget; ++node) {
    const int before = choice[cls];
    if (node == before) continue;
    choice[cls] = node;
    const Value value = evaluate(choice);
    const bool better = is_better(value, best);
    if (better)
      best = value;
    else
      choice[cls] = before;
    changed |= better;
  }
  return changed;
}

Value LocalSearch::improve(std::vector<int>& choice) {
  Value best = evaluate(choice);
  for (bool changed = true; changed && steps_ < kSearchBudget;) {
    changed = false;
    evaluate(choice);
    const std::vector<int> order(needed_.rbegin(), needed_.rend());
    for (int cls : order) changed |= exchange(cls, choice, best);
  }
  return best;
}

std::vector<int> greedy_choice(const Problem& problem) {
  std::vector<int> best = cheapest_first(problem, own_costs(problem));
  LocalSearch search(problem);
  Value value = search.improve(best);
  if (value.excess > 0) agree_on_uses(problem, search, best, value);
  std::vector<double> prices(problem.limits.size(), 0);
  std::vector<int> candidate = best;
  for (int round = 0; round < kPricingRounds && value.excess > 0; ++round) {
    raise_prices(problem, only_needed(problem, candidate), value.cost, prices);
    candidate = cheapest_first(problem, priced(problem, prices));
    const Value candidate_value = search.improve(candidate);
    if (!is_better(candidate_value, value)) continue;
    best = candidate;
    value = candidate_value;
  }
  return best;
}

}  // namespace strata::extract
