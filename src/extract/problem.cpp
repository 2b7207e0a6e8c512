// SPDX-License-Identifier: Apache-2.0
#include "extract/problem.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace strata::extract {
namespace {

bool is_amount(double value) { return std::isfinite(value) && value >= 0; }

bool is_class(const Problem& problem, int cls) { return cls >= 0 && cls < std::ssize(problem.classes); }

bool is_node(const Problem& problem, int cls, int node) {
  return is_class(problem, cls) && node >= 0 && node < std::ssize(problem.classes[cls]);
}

std::string class_name(int cls) { return "class " + std::to_string(cls); }

void check_chosen(const Problem& problem, const std::vector<int>& choice) {
  STRATA_CHECK(choice.size() == problem.classes.size(), "a choice of another problem");
  for (int cls = 0; cls < std::ssize(choice); ++cls) {
    if (choice[cls] == -1) continue;
    STRATA_CHECK(is_node(problem, cls, choice[cls]), class_name(cls) + " has no such node");
    for (int child : problem.classes[cls][choice[cls]].children)
      STRATA_CHECK(choice[child] != -1, class_name(cls) + " needs " + class_name(child) + ", which is not chosen");
  }
  for (int root : problem.roots) STRATA_CHECK(choice[root] != -1, "root " + class_name(root) + " is not chosen");
}

// Peels the chosen classes whose children are all peeled; what is left lies on or above a cycle.
void check_acyclic(const Problem& problem, const std::vector<int>& choice) {
  const int count = static_cast<int>(choice.size());
  std::vector<int> missing(count, 0);
  std::vector<std::vector<int>> users(count);
  std::vector<int> ready;
  for (int cls = 0; cls < count; ++cls) {
    if (choice[cls] == -1) continue;
    for (int child : problem.classes[cls][choice[cls]].children) {
      users[child].push_back(cls);
      ++missing[cls];
    }
    if (missing[cls] == 0) ready.push_back(cls);
  }
  while (!ready.empty()) {
    const int cls = ready.back();
    ready.pop_back();
    for (int user : users[cls])
      if (--missing[user] == 0) ready.push_back(user);
  }
  for (int cls = 0; cls < count; ++cls)
    STRATA_CHECK(missing[cls] == 0, class_name(cls) + " is chosen on or above a cycle");
}

}  // namespace

void validate(const Problem& problem) {
  for (const auto& nodes : problem.classes)
    for (const Node& node : nodes) {
      STRATA_CHECK(is_amount(node.cost), "a cost is negative or not finite");
      for (int child : node.children) STRATA_CHECK(is_class(problem, child), "a child is no class");
    }
  for (int root : problem.roots) STRATA_CHECK(is_class(problem, root), "a root is no class");
  for (const Limit& limit : problem.limits) {
    STRATA_CHECK(is_amount(limit.capacity), "the capacity of " + limit.name + " is negative or not finite");
    for (const Use& use : limit.uses)
      STRATA_CHECK(is_node(problem, use.cls, use.node) && is_amount(use.amount), "a use of " + limit.name);
  }
}

std::vector<int> only_needed(const Problem& problem, const std::vector<int>& choice) {
  std::vector<int> needed(choice.size(), -1);
  std::vector<int> stack(problem.roots.rbegin(), problem.roots.rend());
  while (!stack.empty()) {
    const int cls = stack.back();
    stack.pop_back();
    if (needed[cls] != -1 || choice[cls] == -1) continue;
    needed[cls] = choice[cls];
    const auto& children = problem.classes[cls][choice[cls]].children;
    stack.insert(stack.end(), children.begin(), children.end());
  }
  return needed;
}

double dag_cost(const Problem& problem, const std::vector<int>& choice) {
  const std::vector<int> needed = only_needed(problem, choice);
  double cost = 0;
  for (int cls = 0; cls < std::ssize(needed); ++cls)
    if (needed[cls] != -1) cost += problem.classes[cls][needed[cls]].cost;
  return cost;
}

double usage(const Limit& limit, const std::vector<int>& choice) {
  double used = 0;
  for (const Use& use : limit.uses)
    if (choice[use.cls] == use.node) used += use.amount;
  return used;
}

void check(const Problem& problem, const std::vector<int>& choice) {
  check_chosen(problem, choice);
  check_acyclic(problem, choice);
  for (const Limit& limit : problem.limits)
    STRATA_CHECK(usage(limit, choice) <= allowed(limit), "limit " + limit.name + " is exceeded");
}

std::vector<std::vector<std::vector<Amount>>> amounts_by_node(const Problem& problem) {
  std::vector<std::vector<std::vector<Amount>>> amounts(problem.classes.size());
  for (size_t cls = 0; cls < amounts.size(); ++cls) amounts[cls].resize(problem.classes[cls].size());
  for (int limit = 0; limit < std::ssize(problem.limits); ++limit)
    for (const Use& use : problem.limits[limit].uses) {
      auto& of_node = amounts[use.cls][use.node];
      if (!of_node.empty() && of_node.back().limit == limit)
        of_node.back().amount += use.amount;
      else
        of_node.push_back({limit, use.amount});
    }
  return amounts;
}

}  // namespace strata::extract
