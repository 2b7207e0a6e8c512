// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "extract/problem.h"

namespace strata::extract::fixtures {

struct Shape {
  int classes = 8;
  int most_nodes = 4;
  int most_children = 3;
  double back_edges = 0.3;  // share of the children that lie before their user
  double leaves = 0.3;      // share of the nodes without children
  int window = 1000;        // how far a child may lie from its user
  int limits = 0;
  bool mixed_magnitudes = false;  // costs from 1e-9 to 1e-1, else around 1
};

// Distributions by hand: the standard ones differ between libraries.
class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  int below(int count) { return static_cast<int>(engine_() % static_cast<unsigned>(count)); }
  double fraction() { return static_cast<double>(engine_()) / 4294967296.0; }

 private:
  std::mt19937 engine_;
};

inline double random_cost(Random& random, bool mixed_magnitudes) {
  if (mixed_magnitudes) return std::pow(10.0, -9 + 8 * random.fraction());
  return random.below(8) == 0 ? 0 : 1 + random.below(20);
}

// The first node of each class only needs later classes, so that every class can be built.
inline Problem random_problem(const Shape& shape, unsigned seed) {
  Random random(seed);
  Problem problem;
  problem.classes.resize(shape.classes);
  for (int cls = 0; cls < shape.classes; ++cls) {
    const int nodes = 1 + random.below(shape.most_nodes);
    for (int n = 0; n < nodes; ++n) {
      Node node{random_cost(random, shape.mixed_magnitudes), {}};
      const bool is_leaf = random.fraction() < shape.leaves;
      for (int c = is_leaf ? 0 : 1 + random.below(shape.most_children); c > 0; --c) {
        const bool back = n > 0 && random.fraction() < shape.back_edges;
        const int first = back ? std::max(0, cls - shape.window) : cls + 1;
        const int last = back ? cls : std::min(shape.classes - 1, cls + shape.window);
        if (first <= last) node.children.push_back(first + random.below(last - first + 1));
      }
      problem.classes[cls].push_back(node);
    }
  }
  problem.roots.push_back(0);
  if (random.below(3) == 0) problem.roots.push_back(random.below(shape.classes));
  for (int l = 0; l < shape.limits; ++l) {
    Limit limit{"limit " + std::to_string(l), 0, {}};
    for (int cls = 0; cls < shape.classes; ++cls)
      for (int n = 0; n < std::ssize(problem.classes[cls]); ++n)
        if (random.below(3) == 0) limit.uses.push_back({cls, n, random.fraction()});
    for (const Use& use : limit.uses) limit.capacity += 0.1 * use.amount;
    problem.limits.push_back(std::move(limit));
  }
  return problem;
}

}  // namespace strata::extract::fixtures
