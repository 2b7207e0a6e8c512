// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "egraph/egraph.h"

namespace strata::egraph {

// When the terms of each class last changed, by how far below the class one looks. The e-graph says when a class itself
// changed; from there this goes up through the parents, one level at a time.
class Changes {
 public:
  // Answers for depths up to this one.
  Changes(const EGraph& graph, std::uint32_t depth) : graph_(graph), within_(depth + std::size_t{1}) {}

  // Takes in what the last rebuild() brought; must follow each of them.
  void update();

  // The epoch of the last change of a canonical class (depth 0), or of a class at most so many levels below it.
  std::uint32_t within(std::uint32_t depth, ClassId id) const { return within_[depth][id]; }

 private:
  const EGraph& graph_;
  std::vector<std::vector<std::uint32_t>> within_;  // by depth and class
  std::uint32_t seen_ = 0;                          // epochs before this one are in
};

// The state of a graph that a search has seen: later searches need only list what is new since then.
struct Seen {
  const Changes* changes = nullptr;  // null: nothing was seen
  std::uint32_t epoch = 0;
  std::size_t ids = 0;  // EGraph::id_count()
};

}  // namespace strata::egraph
