// SPDX-License-Identifier: Apache-2.0
#include "extract/parts.h"

#include <numeric>

namespace strata::extract {
namespace {

std::vector<char> reached_classes(const Problem& problem) {
  std::vector<char> reached(problem.classes.size(), 0);
  std::vector<int> stack;
  const auto reach = [&](int cls) {
    if (!reached[cls]) reached[cls] = 1, stack.push_back(cls);
  };
  for (int root : problem.roots) reach(root);
  while (!stack.empty()) {
    const int cls = stack.back();
    stack.pop_back();
    for (const Node& node : problem.classes[cls])
      for (int child : node.children) reach(child);
  }
  return reached;
}

class Sets {
 public:
  explicit Sets(size_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), 0); }
  int find(int at) {
    while (parent_[at] != at) at = parent_[at] = parent_[parent_[at]];
    return at;
  }
  void unite(int a, int b) { parent_[find(a)] = find(b); }

 private:
  std::vector<int> parent_;
};

Sets connected_classes(const Problem& problem, const std::vector<char>& reached) {
  Sets sets(problem.classes.size());
  for (int cls = 0; cls < std::ssize(problem.classes); ++cls)
    if (reached[cls])
      for (const Node& node : problem.classes[cls])
        for (int child : node.children) sets.unite(cls, child);
  for (const Limit& limit : problem.limits) {
    int last = -1;
    for (const Use& use : limit.uses) {
      if (!reached[use.cls]) continue;
      if (last != -1) sets.unite(last, use.cls);
      last = use.cls;
    }
  }
  return sets;
}

template <class Value>
void append(std::string& key, Value value) {
  key.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_list(std::string& key, const std::vector<int>& values) {
  append(key, values.size());
  for (int value : values) append(key, value);
}

}  // namespace

std::vector<Part> split(const Problem& problem) {
  const std::vector<char> reached = reached_classes(problem);
  Sets sets = connected_classes(problem, reached);
  std::vector<Part> parts;
  std::vector<int> part_of(problem.classes.size(), -1), position(problem.classes.size(), -1);
  for (int cls = 0; cls < std::ssize(problem.classes); ++cls) {
    if (!reached[cls]) continue;
    int& part = part_of[sets.find(cls)];
    if (part == -1) part = static_cast<int>(parts.size()), parts.emplace_back();
    part_of[cls] = part;
    position[cls] = static_cast<int>(parts[part].class_of.size());
    parts[part].class_of.push_back(cls);
    parts[part].problem.classes.push_back(problem.classes[cls]);
  }
  for (Part& part : parts)
    for (auto& nodes : part.problem.classes)
      for (Node& node : nodes)
        for (int& child : node.children) child = position[child];
  for (int root : problem.roots) parts[part_of[root]].problem.roots.push_back(position[root]);
  for (const Limit& limit : problem.limits) {
    Limit kept{limit.name, limit.capacity, {}};
    int part = -1;
    for (const Use& use : limit.uses)
      if (reached[use.cls]) part = part_of[use.cls], kept.uses.push_back({position[use.cls], use.node, use.amount});
    if (part != -1) parts[part].problem.limits.push_back(std::move(kept));
  }
  return parts;
}

std::vector<int> share(const Part& part, const std::vector<int>& whole_choice) {
  std::vector<int> choice;
  for (int cls : part.class_of) choice.push_back(whole_choice[cls]);
  return choice;
}

void put_share(const Part& part, const std::vector<int>& choice, std::vector<int>& whole_choice) {
  for (size_t cls = 0; cls < choice.size(); ++cls) whole_choice[part.class_of[cls]] = choice[cls];
}

std::string content_key(const Problem& problem) {
  std::string key;
  append(key, problem.classes.size());
  for (const auto& nodes : problem.classes) {
    append(key, nodes.size());
    for (const Node& node : nodes) append(key, node.cost), append_list(key, node.children);
  }
  append_list(key, problem.roots);
  append(key, problem.limits.size());
  for (const Limit& limit : problem.limits) {
    append(key, limit.capacity), append(key, limit.uses.size());
    for (const Use& use : limit.uses) append(key, use.cls), append(key, use.node), append(key, use.amount);
  }
  return key;
}

}  // namespace strata::extract
