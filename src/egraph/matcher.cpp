// SPDX-License-Identifier: Apache-2.0
#include "egraph/matcher.h"

#include <algorithm>

#include "base/error.h"

namespace strata::egraph {
namespace {

class Machine {
 public:
  Machine(const EGraph& graph, const Program& program, const SearchLimits& limits, const Seen& seen,
          SearchResult& result)
      : graph_(graph), program_(program), limits_(limits), seen_(seen), result_(result) {
    registers_.resize(program.register_count);
    payloads_.resize(program.payload_count, kNoId);
    result_.matches.stride = program.class_registers.size() + program.payload_count;
  }

  void run() {
    for (const Pattern& term : program_.terms) {
      const auto found = look_up(term);
      if (!found) return;  // the step that compares with it can't succeed
      terms_.push_back(*found);
    }
    run_from(0);
  }

 private:
  std::optional<ClassId> look_up(const Pattern& term) const {
    std::vector<ClassId> ids;
    std::vector<ClassId> children;
    for (const PatternNode& node : term.nodes) {
      children.clear();
      for (const std::uint32_t child : node.children) children.push_back(ids[child]);
      const auto found = graph_.lookup({node.op, node.payload, children});
      if (!found) return std::nullopt;
      ids.push_back(*found);
    }
    return ids.back();
  }

  void run_from(std::size_t at) {
    for (; at < program_.code.size(); ++at) {
      const Instruction& step = program_.code[at];
      switch (step.kind) {
        case Instruction::Kind::kCompare:
          if (registers_[step.source] != registers_[step.target]) return;
          break;
        case Instruction::Kind::kLookup:
          if (registers_[step.source] != terms_[step.term]) return;
          break;
        case Instruction::Kind::kRoot:
          if (seen_.changes == nullptr) break;
          return root(step, at);
        case Instruction::Kind::kScan:
          return scan(graph_.classes_with(step.op), step, at);
        case Instruction::Kind::kScanAll:
          return scan(graph_.classes(), step, at);
        case Instruction::Kind::kBind:
          return bind(step, at);
        case Instruction::Kind::kBindParent:
          return bind_parent(step, at);
      }
    }
    emit();
  }

  void scan(std::span<const ClassId> classes, const Instruction& step, std::size_t at) {
    for (const ClassId id : classes) {
      count_step();
      if (stopped_) return;
      registers_[step.target] = id;
      run_from(at + 1);
    }
  }

  bool has_changed(std::uint32_t depth, ClassId id) const { return seen_.changes->within(depth, id) >= seen_.epoch; }

  void root(const Instruction& step, std::size_t at) {
    const bool before = is_new_;
    is_new_ = is_new_ || has_changed(step.depth, registers_[step.source]);
    if (is_new_ || !step.is_last) run_from(at + 1);
    is_new_ = before;
  }

  bool may_match_anew(NodeId id, const ENode& node, const Instruction& step) const {
    if (id >= seen_.ids) return true;
    return step.depth != kNoId &&
           std::ranges::any_of(node.children, [&](ClassId child) { return has_changed(step.depth, child); });
  }

  // A class's nodes are sorted by operator.
  void bind(const Instruction& step, std::size_t at) {
    if (!graph_.may_have(registers_[step.source], step.op)) return;
    const std::span<const NodeId> ids = graph_.node_ids(registers_[step.source]);
    constexpr std::size_t kFew = 16;
    auto id = ids.begin();
    const bool only_new = step.is_root_bind && seen_.changes != nullptr &&
                          !(step.class_matters && has_changed(0, registers_[step.source]));
    if (ids.size() > kFew) id = std::ranges::lower_bound(ids, step.op, {}, [&](NodeId n) { return graph_.node(n).op; });
    for (; id != ids.end() && !stopped_; ++id) {
      count_step();
      const ENode node = graph_.node(*id);
      if (node.op > step.op) return;
      if (node.op != step.op || node.children.size() != step.arity || !accept_payload(node, step)) continue;
      if (only_new && !may_match_anew(*id, node, step)) continue;
      std::ranges::copy(node.children, registers_.begin() + step.target);
      run_from(at + 1);
    }
  }

  void bind_parent(const Instruction& step, std::size_t at) {
    const ClassId child = registers_[step.source];
    for (const NodeId id : graph_.parent_ids(child)) {
      count_step();
      if (stopped_) return;
      const ENode node = graph_.node(id);
      if (node.op != step.op || node.children.size() != step.arity || node.children[step.child] != child) continue;
      if (!accept_payload(node, step)) continue;
      registers_[step.target] = graph_.find(id);
      std::ranges::copy(node.children, registers_.begin() + step.target + 1);
      run_from(at + 1);
    }
  }

  bool accept_payload(const ENode& node, const Instruction& step) {
    if (step.payload_mode == Instruction::PayloadMode::kFixed) return node.payload == step.payload;
    Payload& place = payloads_[step.payload];
    if (step.payload_mode == Instruction::PayloadMode::kCompare) return node.payload == place;
    place = node.payload;
    return true;
  }

  void count_step() {
    if (result_.steps == limits_.steps) {
      stopped_ = result_.step_limit_hit = true;
    } else {
      ++result_.steps;
    }
  }

  void emit() {
    auto& values = result_.matches.values;
    if (result_.matches.size() == limits_.matches) {
      stopped_ = result_.match_limit_hit = true;
      return;
    }
    for (const std::uint32_t place : program_.class_registers) {
      values.push_back(place == kNoId ? kNoId : registers_[place]);
    }
    values.insert(values.end(), payloads_.begin(), payloads_.end());
  }

  const EGraph& graph_;
  const Program& program_;
  const SearchLimits& limits_;
  const Seen& seen_;
  SearchResult& result_;
  std::vector<ClassId> registers_;
  std::vector<Payload> payloads_;
  std::vector<ClassId> terms_;
  bool stopped_ = false;
  bool is_new_ = false;  // a root that is bound lies where something changed
};

}  // namespace

SearchResult search(const EGraph& graph, const Program& program, const SearchLimits& limits, const Seen& seen) {
  STRATA_CHECK(graph.is_clean(), "rebuild() must come before a search");
  SearchResult result;
  Machine(graph, program, limits, seen, result).run();
  return result;
}

}  // namespace strata::egraph
