// SPDX-License-Identifier: Apache-2.0
#include "extract/exclusions.h"

#include <algorithm>
#include <map>
#include <set>

namespace strata::extract {

void Exclusions::add(NodeOf a, NodeOf b) {
  if (a.first != b.first) pairs_.emplace_back(std::min(a, b), std::max(a, b));
}

std::vector<Limit> Exclusions::limits(const std::string& name) const {
  std::map<std::pair<int, int>, std::map<int, std::set<int>>> excluded;  // by the two classes, then the first's node
  for (const auto& [a, b] : pairs_) excluded[{a.first, b.first}][a.second].insert(b.second);
  std::vector<Limit> limits;
  for (const auto& [classes, by_node] : excluded) {
    std::set<std::set<int>> sides;
    for (const auto& [node, others] : by_node) sides.insert(others);
    for (const std::set<int>& side : sides) {
      Limit limit{name, 1, {}};
      for (const auto& [node, others] : by_node) {
        if (std::ranges::includes(others, side)) limit.uses.push_back({classes.first, node, 1});
      }
      for (const int other : side) limit.uses.push_back({classes.second, other, 1});
      limits.push_back(std::move(limit));
    }
  }
  return limits;
}

}  // namespace strata::extract
