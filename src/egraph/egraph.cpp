// SPDX-License-Identifier: Apache-2.0
#include "egraph/egraph.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace strata::egraph {

ENode NodeRange::Iterator::operator*() const { return graph_->node(graph_->classes_[id_].nodes.ids()[index_]); }

std::size_t NodeRange::size() const { return graph_->classes_[id_].nodes.size(); }

EGraph::EGraph(Symbols& symbols, Analysis* analysis, bool explanations)
    : symbols_(symbols),
      analysis_(analysis),
      proofs_(explanations ? std::make_unique<ProofForest>() : nullptr),
      given_(symbols.intern("given")) {}

// find() that halves the path on its way.
ClassId EGraph::shorten(ClassId id) {
  while (leaders_[id] != id) {
    leaders_[id] = leaders_[leaders_[id]];
    id = leaders_[id];
  }
  return id;
}

NodeId EGraph::find_node(const ENode& canonical, std::uint32_t hash) const {
  return table_.find(hash, [&](NodeId id) { return same_node(view(nodes_[id]), canonical); });
}

std::optional<ClassId> EGraph::lookup(const ENode& node) const {
  constexpr std::size_t kFew = 8;
  ClassId few[kFew];
  std::vector<ClassId> many(node.children.size() > kFew ? node.children.size() : 0);
  const std::span<ClassId> children(many.empty() ? few : many.data(), node.children.size());
  std::ranges::transform(node.children, children.begin(), [&](ClassId id) { return find(id); });
  const ENode canonical{node.op, node.payload, children};
  const NodeId found = find_node(canonical, hash_node(canonical));
  return found == kNoId ? std::nullopt : std::optional(find(found));
}

ClassId EGraph::add(const ENode& node) {
  if (proofs_) {
    if (const auto term = proofs_->find_term(node)) return *term;
  }
  scratch_.resize(node.children.size());
  std::ranges::transform(node.children, scratch_.begin(), [&](ClassId id) { return shorten(id); });
  const ENode canonical{node.op, node.payload, scratch_};
  const std::uint32_t hash = hash_node(canonical);
  const NodeId found = find_node(canonical, hash);
  if (found != kNoId && !proofs_) return find(found);
  if (found != kNoId) {
    const ClassId id = mint(canonical, hash, node, false);
    leaders_[id] = find(found);
    proofs_->connect(id, found, {});
    return id;
  }
  const NodeId id = mint(canonical, hash, node, true);
  link(id);
  return id;
}

NodeId EGraph::mint(const ENode& canonical, std::uint32_t hash, const ENode& original, bool live) {
  const auto id = static_cast<NodeId>(nodes_.size());
  STRATA_CHECK(id != kNoId, "an e-graph holds at most 2^32 - 2 terms");
  StoredNode& stored = nodes_.emplace_back();
  stored.op = canonical.op;
  stored.payload = canonical.payload;
  stored.hash = hash;
  if (live) {
    stored.live = true;
    stored.arity = static_cast<std::uint32_t>(canonical.children.size()) & 0x7fffffff;
    if (stored.arity > kFewChildren) stored.many = arena_.copy(canonical.children).data();
    if (stored.arity <= kFewChildren) std::ranges::copy(canonical.children, stored.few);
  }
  leaders_.push_back(id);
  classes_.emplace_back();
  op_bits_.push_back(op_bit(canonical.op));
  changed_at_.push_back(epoch_);
  if (proofs_) proofs_->add_term(original);
  return id;
}

// Puts a new node into the table, its own class and its children's lists of parents.
void EGraph::link(NodeId id) {
  const ENode added = node(id);
  table_.insert(nodes_[id].hash, id);
  classes_[id].nodes.push_back(id);
  ++class_count_;
  for (const ClassId child : added.children) {
    IdList& parents = classes_[child].parents;
    if (parents.size() == 0 || parents.ids().back() != id) parents.push_back(id);
  }
  dirty_ = true;
  if (!analysis_) return;
  analysis_->make(*this, id, added);
  modify_pending_.push_back(id);
}

bool EGraph::merge(ClassId a, ClassId b, Symbol reason, std::span<const Equation> premises) {
  const ClassId class_a = shorten(a);
  const ClassId class_b = shorten(b);
  if (class_a == class_b) return false;
  if (proofs_) proofs_->connect(a, b, {reason}, premises);
  unite(class_a, class_b);
  return true;
}

// The class with more parents survives: the others' parents are what must be repaired.
void EGraph::unite(ClassId a, ClassId b) {
  const auto rank = [&](ClassId id) { return std::pair(classes_[id].parents.size(), ~id); };
  const auto [into, from] = rank(a) >= rank(b) ? std::pair(a, b) : std::pair(b, a);
  Class& survivor = classes_[into];
  Class& other = classes_[from];
  const std::size_t own_parents = survivor.parents.size();
  congruence_pending_.insert(congruence_pending_.end(), other.parents.ids().begin(), other.parents.ids().end());
  op_bits_[into] |= op_bits_[from];
  survivor.nodes.append(other.nodes.ids());
  survivor.parents.append(other.parents.ids());
  other.nodes.clear();
  other.parents.clear();
  join_data(into, from, own_parents);
  leaders_[from] = into;
  changed_at_[into] = epoch_;
  untidy_.push_back(into);
  --class_count_;
  ++merge_count_;
  dirty_ = true;
}

void EGraph::join_data(ClassId into, ClassId from, std::size_t own_parents) {
  if (!analysis_) return;
  const AnalysisMerge result = analysis_->merge(*this, into, from);
  const auto parents = std::as_const(classes_[into].parents).ids();
  const auto remake = [&](std::span<const NodeId> ids) {
    analysis_pending_.insert(analysis_pending_.end(), ids.begin(), ids.end());
  };
  if (result.into_changed) remake(parents.first(own_parents));
  if (result.from_differs) remake(parents.subspan(own_parents));
  modify_pending_.push_back(into);
}

std::size_t EGraph::rebuild() {
  if (!dirty_) return 0;
  const std::size_t before = merge_count_;
  while (true) {  // congruence before data, so that data is made from few classes
    if (!congruence_pending_.empty()) {
      repair(congruence_pending_.back());
    } else if (!analysis_pending_.empty()) {
      const NodeId id = analysis_pending_.back();
      analysis_pending_.pop_back();
      remake(id);
    } else if (!modify_pending_.empty()) {
      const ClassId id = find(modify_pending_.back());
      modify_pending_.pop_back();
      analysis_->modify(*this, id);
    } else {
      break;
    }
  }
  compress_paths();
  tidy_classes();
  index_classes();
  dirty_ = false;
  ++epoch_;
  return merge_count_ - before;
}

// Makes a node's children canonical. If that makes it equal to another one, the two classes are one, and it dies.
void EGraph::repair(NodeId id) {
  congruence_pending_.pop_back();
  StoredNode& node = nodes_[id];
  const std::span<ClassId> children = node.children();
  if (!node.live || std::ranges::all_of(children, [&](ClassId child) { return leaders_[child] == child; })) return;
  table_.erase(node.hash, id);
  for (ClassId& child : children) child = shorten(child);
  node.hash = hash_node(view(node));
  const NodeId equal = find_node(view(node), node.hash);
  if (equal == kNoId) {
    table_.insert(node.hash, id);
    return;
  }
  node.live = false;
  untidy_.push_back(find(id));
  for (const ClassId child : children) untidy_.push_back(child);
  const ClassId home = shorten(id);
  const ClassId other = shorten(equal);
  if (home == other) return;
  if (proofs_) proofs_->connect(id, equal, {});
  unite(home, other);
}

void EGraph::remake(NodeId id) {
  if (!nodes_[id].live) return;
  const ClassId home = find(id);
  if (!analysis_->make(*this, home, node(id))) return;
  changed_at_[home] = epoch_;
  const auto parents = classes_[home].parents.ids();
  analysis_pending_.insert(analysis_pending_.end(), parents.begin(), parents.end());
  modify_pending_.push_back(home);
}

void EGraph::compress_paths() {
  for (ClassId& leader : leaders_) leader = find(leader);
}

void EGraph::tidy_classes() {
  for (ClassId& id : untidy_) id = find(id);
  std::ranges::sort(untidy_);
  const auto repeated = std::ranges::unique(untidy_);
  untidy_.erase(repeated.begin(), repeated.end());
  for (const ClassId id : untidy_) tidy_class(id);
  untidy_.clear();
}

void EGraph::tidy_class(ClassId id) {
  const auto is_dead = [&](NodeId node) { return !nodes_[node].live; };
  IdList& nodes = classes_[id].nodes;
  nodes.truncate(nodes.size() - std::ranges::size(std::ranges::remove_if(nodes.ids(), is_dead)));
  std::ranges::sort(nodes.ids(), {}, [&](NodeId node) { return std::pair(nodes_[node].op, node); });
  IdList& parents = classes_[id].parents;
  parents.truncate(parents.size() - std::ranges::size(std::ranges::remove_if(parents.ids(), is_dead)));
  std::ranges::sort(parents.ids());
  parents.truncate(parents.size() - std::ranges::size(std::ranges::unique(parents.ids())));
}

void EGraph::index_classes() {
  canonical_.clear();
  for (auto& list : classes_with_) list.clear();
  classes_with_.resize(symbols_.size());
  for (ClassId id = 0; id < leaders_.size(); ++id) {
    if (leaders_[id] != id) continue;
    canonical_.push_back(id);
    Symbol last = kNoId;
    for (const NodeId node : std::as_const(classes_[id].nodes).ids()) {
      if (nodes_[node].op != last) classes_with_[last = nodes_[node].op].push_back(id);
    }
  }
}

std::span<const ClassId> EGraph::classes() const {
  STRATA_CHECK(!dirty_, "rebuild() must come before reading classes()");
  return canonical_;
}

std::span<const ClassId> EGraph::classes_with(Symbol op) const {
  STRATA_CHECK(!dirty_, "rebuild() must come before reading classes_with()");
  if (op >= classes_with_.size()) return {};
  return classes_with_[op];
}

std::size_t EGraph::memory_bytes() const {
  const auto bytes_of = [](const auto& list) { return list.capacity() * sizeof(list[0]); };
  std::size_t bytes = arena_.memory_bytes() + table_.memory_bytes() + nodes_.memory_bytes() + bytes_of(leaders_) +
                      bytes_of(classes_) + bytes_of(op_bits_) + bytes_of(changed_at_) + bytes_of(canonical_) +
                      bytes_of(congruence_pending_) + bytes_of(analysis_pending_) + bytes_of(modify_pending_) +
                      bytes_of(untidy_);
  for (const auto& list : classes_with_) bytes += sizeof(list) + bytes_of(list);
  for (const Class& entry : classes_) bytes += entry.nodes.heap_bytes() + entry.parents.heap_bytes();
  return bytes + (proofs_ ? proofs_->memory_bytes() : 0);
}

}  // namespace strata::egraph
