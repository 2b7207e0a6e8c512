// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "egraph/matcher.h"

namespace strata::egraph {
namespace {

class Compiler {
 public:
  Compiler(const MultiPattern& patterns, const Variables& variables, int guard_depth)
      : patterns_(patterns), guard_depth_(guard_depth), uses_(variables.classes.size(), 0) {
    for (const Pattern& pattern : patterns.patterns) {
      for (const PatternNode& node : pattern.nodes) {
        if (node.kind == PatternNode::Kind::kVariable) ++uses_[node.variable];
      }
    }
    for (const std::uint32_t root : patterns.roots) ++uses_[root];
    program_.class_registers.assign(variables.classes.size(), kNoId);
    program_.payload_count = variables.payloads.size();
    payload_bound_.assign(variables.payloads.size(), false);
  }

  Program compile() {
    std::vector<std::size_t> left(patterns_.patterns.size());
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
    while (!left.empty()) {
      const auto next = std::ranges::find_if(left, [&](std::size_t i) { return is_connected(i); });
      const auto chosen = next == left.end() ? left.begin() : next;
      const std::size_t index = *chosen;
      left.erase(chosen);
      enter(index, left.empty());
    }
    return std::move(program_);
  }

 private:
  struct Goal {
    const Pattern* pattern;
    std::uint32_t node;
    std::uint32_t source;
  };

  bool is_bound(std::uint32_t variable) const { return program_.class_registers[variable] != kNoId; }

  // The first child of the root that is a variable with a value; kNoId: none.
  std::uint32_t bound_child(const Pattern& pattern) const {
    const auto& children = pattern.root().children;
    for (std::uint32_t i = 0; i < children.size(); ++i) {
      const PatternNode& child = pattern.nodes[children[i]];
      if (child.kind == PatternNode::Kind::kVariable && is_bound(child.variable)) return i;
    }
    return kNoId;
  }

  bool is_connected(std::size_t index) const {
    return is_bound(patterns_.roots[index]) || bound_child(patterns_.patterns[index]) != kNoId;
  }

  // How far below a pattern's root something must change to bring a match: as far as its operators lie, and the
  // variables that are compared or looked at.
  std::uint32_t depth_of(const Pattern& pattern, std::uint32_t index) const {
    const PatternNode& node = pattern.nodes[index];
    if (node.kind == PatternNode::Kind::kVariable) return static_cast<std::uint32_t>(std::max(0, guard_depth_));
    std::uint32_t depth = 0;
    for (const std::uint32_t child : node.children) {
      const PatternNode& below = pattern.nodes[child];
      const bool is_looked_at =
          below.kind == PatternNode::Kind::kOperator || guard_depth_ != kNoGuard || uses_[below.variable] > 1;
      if (is_looked_at) depth = std::max(depth, 1 + depth_of(pattern, child));
    }
    return depth;
  }

  void enter_root(std::size_t index, bool is_last) {
    const Pattern& pattern = patterns_.patterns[index];
    Instruction step;
    step.kind = Instruction::Kind::kRoot;
    step.source = program_.class_registers[patterns_.roots[index]];
    const auto root = static_cast<std::uint32_t>(pattern.nodes.size() - 1);
    step.depth = std::max(depth_of(pattern, root), static_cast<std::uint32_t>(std::max(0, guard_depth_)));
    step.is_last = is_last;
    program_.code.push_back(step);
    program_.depth = std::max(program_.depth, step.depth);
  }

  void enter(std::size_t index, bool is_last) {
    const Pattern& pattern = patterns_.patterns[index];
    const std::uint32_t root_variable = patterns_.roots[index];
    const auto root = static_cast<std::uint32_t>(pattern.nodes.size() - 1);
    const std::uint32_t child = bound_child(pattern);
    if (!is_bound(root_variable) && child != kNoId) {
      const std::uint32_t via = pattern.nodes[pattern.root().children[child]].variable;
      Instruction step = bind_step(Instruction::Kind::kBindParent, pattern.root(), program_.class_registers[via]);
      step.child = child;
      const std::uint32_t out = emit_bind(step, pattern.root().children.size() + 1);
      assign(root_variable, out);
      enter_root(index, is_last);
      push_children(pattern, pattern.root(), out + 1);
    } else {
      if (!is_bound(root_variable)) scan(pattern.root(), root_variable);
      enter_root(index, is_last);
      push({&pattern, root, program_.class_registers[root_variable]});
    }
    solve();
  }

  void scan(const PatternNode& root, std::uint32_t variable) {
    const bool any = root.kind == PatternNode::Kind::kVariable;
    Instruction step;
    step.kind = any ? Instruction::Kind::kScanAll : Instruction::Kind::kScan;
    step.op = root.op;
    step.target = new_registers(1);
    program_.code.push_back(step);
    assign(variable, step.target);
  }

  void solve() {
    while (!goals_.empty()) {
      // A goal whose variables all have values only filters: the earlier, the better.
      const auto filter = std::ranges::find_if(goals_, [&](const Goal& goal) { return is_solved(goal); });
      const auto chosen = filter == goals_.end() ? goals_.begin() : filter;
      const Goal goal = *chosen;
      goals_.erase(chosen);
      const PatternNode& node = goal.pattern->nodes[goal.node];
      Instruction step = bind_step(Instruction::Kind::kBind, node, goal.source);
      if (goal.node + 1 == goal.pattern->nodes.size()) mark_root_bind(step);
      push_children(*goal.pattern, node, emit_bind(step, node.children.size()));
    }
  }

  // What a guard looks at below the root's class need not be below the matched node.
  void mark_root_bind(Instruction& step) const {
    if (patterns_.patterns.size() != 1 || guard_depth_ > 0) return;
    step.is_root_bind = true;
    step.depth = program_.depth == 0 ? kNoId : program_.depth - 1;
    step.class_matters = guard_depth_ != kNoGuard || uses_[patterns_.roots[0]] > 1;
  }

  bool is_solved(const Goal& goal) const {
    return all_below(*goal.pattern, goal.node, [&](const PatternNode& node) {
      return node.kind == PatternNode::Kind::kOperator || is_bound(node.variable);
    });
  }

  template <class Predicate>
  static bool all_below(const Pattern& pattern, std::uint32_t index, const Predicate& holds) {
    const PatternNode& node = pattern.nodes[index];
    return holds(node) &&
           std::ranges::all_of(node.children, [&](std::uint32_t child) { return all_below(pattern, child, holds); });
  }

  void push(const Goal& goal) {
    const PatternNode& node = goal.pattern->nodes[goal.node];
    if (node.kind == PatternNode::Kind::kVariable) {
      assign(node.variable, goal.source);
    } else if (all_below(*goal.pattern, goal.node, [](const PatternNode& n) {
                 return n.kind == PatternNode::Kind::kOperator && n.fixed_payload;
               })) {
      look_up(goal);
    } else {
      goals_.push_back(goal);
    }
  }

  void push_children(const Pattern& pattern, const PatternNode& node, std::uint32_t first_register) {
    for (std::uint32_t i = 0; i < node.children.size(); ++i) push({&pattern, node.children[i], first_register + i});
  }

  void assign(std::uint32_t variable, std::uint32_t source) {
    std::uint32_t& place = program_.class_registers[variable];
    if (place == kNoId) {
      place = source;
    } else if (place != source) {
      Instruction step;
      step.kind = Instruction::Kind::kCompare;
      step.source = source;
      step.target = place;
      program_.code.push_back(step);
    }
  }

  void look_up(const Goal& goal) {
    Instruction step;
    step.kind = Instruction::Kind::kLookup;
    step.source = goal.source;
    step.term = static_cast<std::uint32_t>(program_.terms.size());
    Pattern& term = program_.terms.emplace_back();
    append_term(*goal.pattern, goal.node, term);
    program_.code.push_back(step);
  }

  static std::uint32_t append_term(const Pattern& pattern, std::uint32_t index, Pattern& term) {
    PatternNode node = pattern.nodes[index];
    for (std::uint32_t& child : node.children) child = append_term(pattern, child, term);
    term.nodes.push_back(std::move(node));
    return static_cast<std::uint32_t>(term.nodes.size() - 1);
  }

  Instruction bind_step(Instruction::Kind kind, const PatternNode& node, std::uint32_t source) {
    Instruction step;
    step.kind = kind;
    step.source = source;
    step.op = node.op;
    step.arity = static_cast<std::uint32_t>(node.children.size());
    step.payload = node.payload;
    if (!node.fixed_payload) {
      step.payload_mode =
          payload_bound_[node.payload] ? Instruction::PayloadMode::kCompare : Instruction::PayloadMode::kStore;
      payload_bound_[node.payload] = true;
    }
    return step;
  }

  std::uint32_t emit_bind(Instruction step, std::size_t registers) {
    step.target = new_registers(registers);
    program_.code.push_back(step);
    return step.target;
  }

  std::uint32_t new_registers(std::size_t count) {
    const auto first = static_cast<std::uint32_t>(program_.register_count);
    program_.register_count += count;
    return first;
  }

  const MultiPattern& patterns_;
  int guard_depth_;
  std::vector<int> uses_;  // by class variable: its places, a root's name among them
  Program program_;
  std::vector<bool> payload_bound_;
  std::vector<Goal> goals_;
};

}  // namespace

Program compile_patterns(const MultiPattern& patterns, const Variables& variables, int guard_depth) {
  return Compiler(patterns, variables, guard_depth).compile();
}

}  // namespace strata::egraph
