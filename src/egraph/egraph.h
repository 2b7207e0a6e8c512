// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "egraph/id_list.h"
#include "egraph/node.h"
#include "egraph/node_table.h"
#include "egraph/proof_forest.h"
#include "egraph/stable_vector.h"
#include "egraph/symbols.h"

namespace strata::egraph {

class EGraph;

struct AnalysisMerge {
  bool into_changed = false;  // the surviving class learnt something: its parents are made again
  bool from_differs = false;  // what the other class said before is not what the survivor says now: likewise
};

// Facts per class (egg's e-class analysis: a join-semilattice). The client keeps the data, indexed by class id, and
// reads it at graph.find(id). Facts only grow: make() and merge() join, they never forget.
class Analysis {
 public:
  virtual ~Analysis() = default;
  // Joins what `node` says into the data of class `id`; returns whether that changed. Called for the first node of a
  // new class, whose data doesn't exist yet, and again when the data of a child changed. Ids arrive in no order that
  // could be relied on, and not all of them arrive. The node's children need find().
  virtual bool make(const EGraph& graph, ClassId id, const ENode& node) = 0;
  // Two classes become one: joins the data of `from` into `into`'s. Called before find(from) is `into`.
  virtual AnalysisMerge merge(const EGraph& graph, ClassId into, ClassId from) = 0;
  // May add nodes and merge, in consequence of the data of `id`, which is new or changed. Called by rebuild().
  virtual void modify(EGraph& /*graph*/, ClassId /*id*/) {}
};

// The nodes of one class; valid until the next merge() or rebuild(), add() doesn't disturb it. An ENode's children live
// as long as the graph; rebuild() makes them canonical where they lie.
class NodeRange {
 public:
  class Iterator {
   public:
    using value_type = ENode;
    using difference_type = std::ptrdiff_t;
    using reference = ENode;
    using iterator_category = std::input_iterator_tag;

    Iterator() = default;
    Iterator(const EGraph* graph, ClassId id, std::size_t index) : graph_(graph), id_(id), index_(index) {}
    ENode operator*() const;
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    Iterator operator++(int) { return {graph_, id_, index_++}; }
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    const EGraph* graph_ = nullptr;
    ClassId id_ = 0;
    std::size_t index_ = 0;
  };

  NodeRange(const EGraph* graph, ClassId id) : graph_(graph), id_(id) {}
  Iterator begin() const { return {graph_, id_, 0}; }
  Iterator end() const { return {graph_, id_, size()}; }
  std::size_t size() const;
  ENode operator[](std::size_t index) const { return *Iterator(graph_, id_, index); }

 private:
  const EGraph* graph_;
  ClassId id_;
};

// An e-graph: a congruence relation over terms, each class of equal terms a set of nodes over classes (Willsey et al.,
// "egg: Fast and extensible equality saturation", 2021). Merging is deferred: between merge() and rebuild(), equal
// nodes may be in different classes and stored children may be stale. Everything that it lists is in the order of ids.
class EGraph {
 public:
  // Both must outlive the graph. With explanations it remembers why classes were merged, at the cost of memory: then
  // add() returns an id of exactly the term that was asked for, of which find() is the class.
  explicit EGraph(Symbols& symbols, Analysis* analysis = nullptr, bool explanations = false);
  EGraph(const EGraph&) = delete;
  EGraph& operator=(const EGraph&) = delete;

  Symbols& symbols() const { return symbols_; }

  ClassId add(const ENode& node);
  ClassId add(Symbol op, Payload payload, std::span<const ClassId> children) { return add({op, payload, children}); }
  ClassId add(Symbol op, Payload payload = 0, std::initializer_list<ClassId> children = {}) {
    return add({op, payload, {children.begin(), children.size()}});
  }
  // The class of the node, if it is there. After merge() it may miss a node until rebuild().
  std::optional<ClassId> lookup(const ENode& node) const;
  std::optional<ClassId> lookup(Symbol op, Payload payload, std::initializer_list<ClassId> children) const {
    return lookup({op, payload, {children.begin(), children.size()}});
  }

  ClassId find(ClassId id) const {
    while (leaders_[id] != id) id = leaders_[id];
    return id;
  }
  bool same(ClassId a, ClassId b) const { return find(a) == find(b); }

  // Says that two terms are equal, because of `reason`: a name for explanations. Returns whether that was news.
  bool merge(ClassId a, ClassId b) { return merge(a, b, given_); }
  bool merge(ClassId a, ClassId b, Symbol reason, std::span<const Equation> premises = {});

  // Restores congruence and the analysis; returns how many merges followed by congruence or from Analysis::modify.
  std::size_t rebuild();
  bool is_clean() const { return !dirty_; }

  // The canonical ids, ascending; those of the classes with a node of this operator. Only of a clean graph.
  std::span<const ClassId> classes() const;
  std::span<const ClassId> classes_with(Symbol op) const;

  // A class's nodes in the order (operator, age). In a clean graph, no two are equal and their children are canonical.
  NodeRange nodes(ClassId id) const { return {this, find(id)}; }
  // The same as names, and the nodes that have the class as a child, without the cost of making ENodes.
  std::span<const NodeId> node_ids(ClassId id) const { return classes_[find(id)].nodes.ids(); }
  std::span<const NodeId> parent_ids(ClassId id) const { return classes_[find(id)].parents.ids(); }
  ENode node(NodeId id) const { return view(nodes_[id]); }  // of those ids
  // False if the class surely has no node of this operator.
  bool may_have(ClassId canonical, Symbol op) const { return (op_bits_[canonical] & op_bit(op)) != 0; }

  std::size_t node_count() const { return table_.size(); }
  std::size_t class_count() const { return class_count_; }
  std::size_t id_count() const { return nodes_.size(); }  // ids ever minted: grows with every new term
  std::size_t merge_count() const { return merge_count_; }
  // rebuild() ends an epoch, where there was anything to do. The one in which a class last changed: it is new, got a
  // node or another class's, or its data changed.
  std::uint32_t epoch() const { return epoch_; }
  std::uint32_t changed_at(ClassId canonical) const { return changed_at_[canonical]; }
  std::size_t memory_bytes() const;

  // Null without explanations.
  const ProofForest* proofs() const { return proofs_.get(); }

 private:
  friend class NodeRange;

  static constexpr std::size_t kFewChildren = 4;

  struct StoredNode {
    Symbol op = 0;
    Payload payload = 0;
    std::uint32_t hash = 0;
    std::uint32_t arity : 31 = 0;
    std::uint32_t live : 1 = 0;  // in the table, and in the list of its class
    union {
      ClassId few[kFewChildren] = {};
      ClassId* many;
    };

    std::span<const ClassId> children() const { return {arity <= kFewChildren ? few : many, arity}; }
    std::span<ClassId> children() { return {arity <= kFewChildren ? few : many, arity}; }
  };
  struct Class {
    IdList nodes;
    IdList parents;
  };

  static std::uint64_t op_bit(Symbol op) { return std::uint64_t{1} << (op % 64); }
  static ENode view(const StoredNode& node) { return {node.op, node.payload, node.children()}; }
  ClassId shorten(ClassId id);
  NodeId find_node(const ENode& canonical, std::uint32_t hash) const;
  NodeId mint(const ENode& canonical, std::uint32_t hash, const ENode& original, bool live);
  void link(NodeId id);
  void unite(ClassId a, ClassId b);
  void join_data(ClassId into, ClassId from, std::size_t own_parents);
  void repair(NodeId id);
  void remake(NodeId id);
  void tidy_classes();
  void tidy_class(ClassId id);
  void compress_paths();
  void index_classes();

  Symbols& symbols_;
  Analysis* analysis_;
  std::unique_ptr<ProofForest> proofs_;
  Symbol given_;

  ChildArena arena_;
  StableVector<StoredNode> nodes_;  // by id; their views' children stay where they are
  std::vector<ClassId> leaders_;    // the union-find, by id
  std::vector<Class> classes_;      // by id, filled for canonical ones
  // By id: a bit per operator among the class's nodes, modulo 64; apart from the lists, to be quick to look at.
  std::vector<std::uint64_t> op_bits_;
  NodeTable table_;                        // live nodes by content
  std::vector<std::uint32_t> changed_at_;  // by id, in epochs
  std::uint32_t epoch_ = 0;

  bool dirty_ = false;
  std::vector<NodeId> congruence_pending_;
  std::vector<NodeId> analysis_pending_;
  std::vector<ClassId> modify_pending_;
  std::vector<ClassId> untidy_;  // classes whose lists may hold dead or double entries

  std::vector<ClassId> canonical_;
  std::vector<std::vector<ClassId>> classes_with_;  // by operator
  std::vector<ClassId> scratch_;
  std::size_t class_count_ = 0;
  std::size_t merge_count_ = 0;
};

}  // namespace strata::egraph
