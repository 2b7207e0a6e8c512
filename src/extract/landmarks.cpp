// SPDX-License-Identifier: Apache-2.0
#include "extract/landmarks.h"

#include <algorithm>
#include <cstdint>

namespace strata::extract {
namespace {

constexpr size_t kMostBytes = size_t{128} << 20;

// Bit c: class c; bit (number of classes) + s: component s.
using Bits = std::vector<uint64_t>;

void set_bit(Bits& bits, size_t bit) { bits[bit / 64] |= uint64_t{1} << bit % 64; }
bool has_bit(const Bits& bits, size_t bit) { return bits[bit / 64] >> bit % 64 & 1; }

class Fixpoint {
 public:
  Fixpoint(const Problem& problem, const std::vector<int>& component, size_t words)
      : problem_(problem),
        component_(component),
        of_class_(problem.classes.size(), Bits(words, ~uint64_t{0})),
        of_node_(words),
        next_(words) {}

  // Components are numbered children first.
  Bits run(int components) {
    std::vector<std::vector<int>> members(components);
    for (int cls = 0; cls < std::ssize(component_); ++cls) members[component_[cls]].push_back(cls);
    for (const std::vector<int>& group : members)
      for (bool changed = true; changed;) {
        changed = false;
        for (int cls : group) changed |= update(cls);
      }
    Bits all(next_.size(), 0);
    for (int root : problem_.roots) join(all, of_class_[root]);
    return all;
  }

 private:
  static void join(Bits& into, const Bits& bits) {
    for (size_t w = 0; w < into.size(); ++w) into[w] |= bits[w];
  }

  bool update(int cls) {
    std::ranges::fill(next_, ~uint64_t{0});
    for (const Node& node : problem_.classes[cls]) {
      std::ranges::fill(of_node_, 0);
      for (int child : node.children) join(of_node_, of_class_[child]);
      for (size_t w = 0; w < next_.size(); ++w) next_[w] &= of_node_[w];
    }
    set_bit(next_, cls);
    set_bit(next_, problem_.classes.size() + component_[cls]);
    if (next_ == of_class_[cls]) return false;
    std::swap(next_, of_class_[cls]);
    return true;
  }

  const Problem& problem_;
  const std::vector<int>& component_;
  std::vector<Bits> of_class_;
  Bits of_node_, next_;
};

}  // namespace

Landmarks find_landmarks(const Problem& problem, const std::vector<int>& component) {
  const size_t classes = problem.classes.size();
  const int components = classes == 0 ? 0 : std::ranges::max(component) + 1;
  Landmarks landmarks{std::vector<char>(classes, 0), std::vector<char>(components, 0)};
  for (int root : problem.roots) landmarks.classes[root] = landmarks.components[component[root]] = 1;
  const size_t words = (classes + components) / 64 + 1;
  if (words * 8 * classes > kMostBytes) return landmarks;
  const Bits bits = Fixpoint(problem, component, words).run(components);
  for (size_t cls = 0; cls < classes; ++cls) landmarks.classes[cls] = has_bit(bits, cls);
  for (int s = 0; s < components; ++s) landmarks.components[s] = has_bit(bits, classes + s);
  return landmarks;
}

}  // namespace strata::extract
