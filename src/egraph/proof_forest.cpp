// SPDX-License-Identifier: Apache-2.0
#include "egraph/proof_forest.h"

#include <algorithm>
#include <utility>

namespace strata::egraph {

void ProofForest::add_term(const ENode& original) {
  const auto id = static_cast<ClassId>(terms_.size());
  terms_.push_back({original.op, original.payload, arena_.copy(original.children)});
  edges_.emplace_back();
  tree_sizes_.push_back(1);
  index_.insert(hash_node(original), id);
}

std::optional<ClassId> ProofForest::find_term(const ENode& original) const {
  const ClassId id =
      index_.find(hash_node(original), [&](ClassId other) { return same_node(terms_[other], original); });
  return id == NodeTable::kNone ? std::nullopt : std::optional(id);
}

std::vector<ClassId> ProofForest::path_to_root(ClassId id) const {
  std::vector<ClassId> path = {id};
  while (edges_[path.back()].to != kNoId) path.push_back(edges_[path.back()].to);
  return path;
}

// Turns the edges between a term and its root around.
void ProofForest::make_root(ClassId id) {
  Edge previous;
  for (ClassId at = id; at != kNoId;) {
    const Edge edge = std::exchange(edges_[at], previous);
    previous = {at, edge.why};
    previous.why.forward = !edge.why.forward;
    at = edge.to;
  }
}

void ProofForest::connect(ClassId a, ClassId b, Justification why, std::span<const Equation> premises) {
  if (!premises.empty()) {
    why.premises = static_cast<std::uint32_t>(premises_.size());
    premises_.emplace_back(premises.begin(), premises.end());
  }
  ClassId root_a = path_to_root(a).back();
  ClassId root_b = path_to_root(b).back();
  if (tree_sizes_[root_a] > tree_sizes_[root_b]) {  // the smaller tree is turned around
    std::swap(a, b);
    std::swap(root_a, root_b);
    why.forward = !why.forward;
  }
  make_root(a);
  edges_[a] = {b, why};
  tree_sizes_[root_b] += tree_sizes_[root_a];
}

std::vector<ProofForest::Step> ProofForest::path(ClassId a, ClassId b) const {
  std::vector<ClassId> from_a = path_to_root(a);
  std::vector<ClassId> from_b = path_to_root(b);
  while (from_a.size() > 1 && from_b.size() > 1 && from_a[from_a.size() - 2] == from_b[from_b.size() - 2]) {
    from_a.pop_back();
    from_b.pop_back();
  }
  std::vector<Step> steps;
  for (std::size_t i = 0; i + 1 < from_a.size(); ++i) {
    steps.push_back({from_a[i], from_a[i + 1], edges_[from_a[i]].why});
  }
  for (std::size_t i = from_b.size() - 1; i-- > 0;) {
    Justification why = edges_[from_b[i]].why;
    why.forward = !why.forward;
    steps.push_back({from_b[i + 1], from_b[i], why});
  }
  return steps;
}

std::span<const Equation> ProofForest::premises(const Justification& why) const {
  if (why.premises == kNoId) return {};
  return premises_[why.premises];
}

std::size_t ProofForest::memory_bytes() const {
  std::size_t bytes = arena_.memory_bytes() + index_.memory_bytes() + terms_.capacity() * sizeof(ENode) +
                      edges_.capacity() * sizeof(Edge) + tree_sizes_.capacity() * sizeof(std::uint32_t);
  for (const auto& equations : premises_) bytes += sizeof(equations) + equations.capacity() * sizeof(Equation);
  return bytes;
}

}  // namespace strata::egraph
