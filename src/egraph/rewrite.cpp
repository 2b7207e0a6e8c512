// SPDX-License-Identifier: Apache-2.0
#include "egraph/rewrite.h"

#include <algorithm>
#include <stdexcept>

#include "base/error.h"

namespace strata::egraph {
namespace {

bool mentions(const Pattern& pattern, std::uint32_t variable) {
  return std::ranges::any_of(pattern.nodes, [&](const PatternNode& node) {
    return node.kind == PatternNode::Kind::kVariable && node.variable == variable;
  });
}

std::vector<bool> find_conditions(const MultiPattern& lhs) {
  std::vector<bool> result;
  for (std::size_t i = 0; i < lhs.patterns.size(); ++i) {
    const std::uint32_t root = lhs.roots[i];
    bool seen = mentions(lhs.patterns[i], root);
    for (std::size_t k = 0; k < i; ++k) seen = seen || lhs.roots[k] == root || mentions(lhs.patterns[k], root);
    result.push_back(seen);
  }
  return result;
}

void check_bound(const Rewrite& rule, const std::vector<bool>& payload_on_left) {
  for (const Pattern& pattern : rule.rhs.patterns) {
    for (const PatternNode& node : pattern.nodes) {
      const bool is_variable = node.kind == PatternNode::Kind::kVariable;
      if (is_variable && rule.program.class_registers[node.variable] == kNoId) {
        throw std::logic_error("rule " + rule.name + ": nothing binds " + rule.variables.classes[node.variable]);
      }
      if (!is_variable && !node.fixed_payload && !payload_on_left[node.payload]) {
        throw std::logic_error("rule " + rule.name + ": nothing binds " + rule.variables.payloads[node.payload]);
      }
    }
  }
}

std::vector<bool> payloads_of(const MultiPattern& patterns, std::size_t count) {
  std::vector<bool> result(count, false);
  for (const Pattern& pattern : patterns.patterns) {
    for (const PatternNode& node : pattern.nodes) {
      if (node.kind == PatternNode::Kind::kOperator && !node.fixed_payload) result[node.payload] = true;
    }
  }
  return result;
}

// A single right pattern without a name goes to the single left root.
void pair_roots(Rewrite& rule) {
  if (rule.rhs.patterns.size() == 1 && rule.variables.classes[rule.rhs.roots[0]].empty()) {
    if (rule.lhs.patterns.size() != 1) {
      throw std::logic_error("rule " + rule.name + ": the right side doesn't say which root it equals");
    }
    rule.rhs.roots[0] = rule.lhs.roots[0];
  }
  for (const std::uint32_t root : rule.rhs.roots) {
    if (rule.program.class_registers[root] == kNoId) {
      throw std::logic_error("rule " + rule.name + ": " + rule.variables.classes[root] + " isn't on the left side");
    }
  }
}

// A guard must have bound what only the right side names.
void check_complete(const Rewrite& rule, const Match& match) {
  for (const Pattern& pattern : rule.rhs.patterns) {
    for (const PatternNode& node : pattern.nodes) {
      const bool is_variable = node.kind == PatternNode::Kind::kVariable;
      const bool unbound = is_variable ? match.classes[node.variable] == kNoId
                                       : !node.fixed_payload && match.payloads[node.payload] == kNoId;
      STRATA_CHECK(!unbound, "the guard of rule " + rule.name + " left a variable of the right side unbound");
    }
  }
}

Payload payload_of(const PatternNode& node, const Match& match) {
  return node.fixed_payload ? node.payload : match.payloads[node.payload];
}

// The class of a pattern's term, if all of its nodes are there.
std::optional<ClassId> look_up(const EGraph& graph, const Pattern& pattern, const Match& match) {
  std::vector<ClassId> ids;
  std::vector<ClassId> children;
  for (const PatternNode& node : pattern.nodes) {
    if (node.kind == PatternNode::Kind::kVariable) {
      ids.push_back(match.classes[node.variable]);
      continue;
    }
    const Payload payload = payload_of(node, match);
    if (payload == kIdentity) {
      ids.push_back(ids[node.children.at(0)]);
      continue;
    }
    children.clear();
    for (const std::uint32_t child : node.children) children.push_back(ids[child]);
    const auto found = graph.lookup({node.op, payload, children});
    if (!found) return std::nullopt;
    ids.push_back(*found);
  }
  return ids.back();
}

bool is_known(const EGraph& graph, const Rewrite& rule, const Match& match) {
  for (std::size_t i = 0; i < rule.rhs.patterns.size(); ++i) {
    const auto found = look_up(graph, rule.rhs.patterns[i], match);
    if (!found || !graph.same(*found, match.classes[rule.rhs.roots[i]])) return false;
  }
  return true;
}

bool unite(EGraph& graph, const Rewrite& rule, const Match& match, std::span<const Equation> premises) {
  bool changed = false;
  for (std::size_t i = 0; i < rule.rhs.patterns.size(); ++i) {
    const ClassId term = instantiate(graph, rule.rhs.patterns[i], match);
    changed |= graph.merge(match.classes[rule.rhs.roots[i]], term, rule.reason, premises);
  }
  return changed;
}

// An explanation needs the left side as a term: each root variable becomes the very instance of its pattern. Where the
// variable has been used before, the instance must equal what was used: a premise of the step.
bool apply_explained(EGraph& graph, const Rewrite& rule, Match match) {
  if (is_known(graph, rule, match)) return false;
  std::vector<Equation> premises;
  for (std::size_t i = 0; i < rule.lhs.patterns.size(); ++i) {
    const ClassId term = instantiate(graph, rule.lhs.patterns[i], match);
    ClassId& root = match.classes[rule.lhs.roots[i]];
    if (rule.is_condition[i]) {
      premises.push_back({term, root});
    } else {
      root = term;
    }
  }
  return unite(graph, rule, match, premises);
}

bool apply_one(EGraph& graph, const Rewrite& rule, const Match& match) {
  if (rule.guard) check_complete(rule, match);
  if (graph.proofs()) return apply_explained(graph, rule, match);
  return unite(graph, rule, match, {});
}

}  // namespace

std::uint32_t Match::class_index(std::string_view name) const {
  const auto index = variables->class_index(name);
  STRATA_CHECK(index, "the rule has no class variable " + std::string(name));
  return *index;
}

std::uint32_t Match::payload_index(std::string_view name) const {
  const auto index = variables->payload_index(name);
  STRATA_CHECK(index, "the rule has no payload variable " + std::string(name));
  return *index;
}

Rewrite make_rewrite(Symbols& symbols, std::string name, std::string_view lhs, std::string_view rhs, Guard guard,
                     const LiteralResolver& literals, int guard_depth) {
  Rewrite rule;
  rule.name = std::move(name);
  rule.reason = symbols.intern(rule.name);
  rule.lhs =
      parse_patterns(lhs, "rule " + rule.name + ", left side", symbols, rule.variables, BarePayload::kAny, literals);
  rule.rhs =
      parse_patterns(rhs, "rule " + rule.name + ", right side", symbols, rule.variables, BarePayload::kZero, literals);
  rule.guard = std::move(guard);
  rule.program = compile_patterns(rule.lhs, rule.variables, rule.guard ? guard_depth : kNoGuard);
  rule.is_condition = find_conditions(rule.lhs);
  pair_roots(rule);
  if (!rule.guard) check_bound(rule, payloads_of(rule.lhs, rule.variables.payloads.size()));
  return rule;
}

ClassId instantiate(EGraph& graph, const Pattern& pattern, const Match& match) {
  std::vector<ClassId> ids;
  std::vector<ClassId> children;
  ids.reserve(pattern.nodes.size());
  for (const PatternNode& node : pattern.nodes) {
    if (node.kind == PatternNode::Kind::kVariable) {
      ids.push_back(match.classes[node.variable]);
      continue;
    }
    const Payload payload = payload_of(node, match);
    if (payload == kIdentity) {
      ids.push_back(ids[node.children.at(0)]);
      continue;
    }
    children.clear();
    for (const std::uint32_t child : node.children) children.push_back(ids[child]);
    ids.push_back(graph.add(node.op, payload, children));
  }
  return ids.back();
}

void read_match(const EGraph& graph, const Rewrite& rule, const std::uint32_t* row, Match& match) {
  const std::size_t class_count = rule.variables.classes.size();
  match.variables = &rule.variables;
  match.classes.assign(row, row + class_count);
  match.payloads.assign(row + class_count, row + class_count + rule.variables.payloads.size());
  for (ClassId& id : match.classes) id = id == kNoId ? kNoId : graph.find(id);
  match.roots.clear();
  for (const std::uint32_t root : rule.lhs.roots) match.roots.push_back(match.classes[root]);
}

bool apply(EGraph& graph, const Rewrite& rule, const Match& match) {
  if (!rule.choices) return apply_one(graph, rule, match);
  bool changed = false;
  for (const Match& choice : rule.choices(graph, match)) changed |= apply_one(graph, rule, choice);
  return changed;
}

}  // namespace strata::egraph
