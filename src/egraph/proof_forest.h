// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "egraph/node.h"
#include "egraph/node_table.h"

namespace strata::egraph {

struct Equation {
  ClassId left;
  ClassId right;
};

// Why two terms are equal: a rule's name, or congruence (the same operator on equal children).
struct Justification {
  static constexpr Symbol kCongruence = 0xffffffff;

  Symbol reason = kCongruence;
  bool forward = true;             // the rule leads from the first term to the second one
  std::uint32_t premises = kNoId;  // an entry of ProofForest's premises
};

// The proof forest (Nieuwenhuis and Oliveras, "Proof-producing congruence closure", 2005): a tree per class whose
// vertices are terms and whose edges are the merges, so that two equal terms are joined by exactly one path. A term is
// named by the id that its node minted; its children are the ids that it was built with.
class ProofForest {
 public:
  struct Step {
    ClassId from;
    ClassId to;
    Justification why;
  };

  void add_term(const ENode& original);
  const ENode& term(ClassId id) const { return terms_[id]; }
  // The id of the term with exactly these children (ids, not classes).
  std::optional<ClassId> find_term(const ENode& original) const;

  // Joins the trees of two terms, which must be different trees.
  void connect(ClassId a, ClassId b, Justification why, std::span<const Equation> premises = {});
  // The edges from a to b, which must be in one tree.
  std::vector<Step> path(ClassId a, ClassId b) const;
  std::span<const Equation> premises(const Justification& why) const;

  std::size_t memory_bytes() const;

 private:
  struct Edge {
    ClassId to = kNoId;  // towards the root of the tree
    Justification why;
  };

  std::vector<ClassId> path_to_root(ClassId id) const;
  void make_root(ClassId id);

  ChildArena arena_;
  std::vector<ENode> terms_;
  std::vector<Edge> edges_;
  std::vector<std::uint32_t> tree_sizes_;  // valid at roots
  std::vector<std::vector<Equation>> premises_;
  NodeTable index_;
};

}  // namespace strata::egraph
