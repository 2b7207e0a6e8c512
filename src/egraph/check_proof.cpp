// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.h"
#include "egraph/explain.h"

namespace strata::egraph {
namespace {

// What the variables of one step stand for.
struct Bindings {
  std::vector<std::optional<TermId>> terms;
  std::vector<std::optional<Payload>> payloads;
};

template <class T>
bool agree(std::optional<T>& bound, const T& value) {
  if (!bound) bound = value;
  return *bound == value;
}

class Checker {
 public:
  Checker(TermTable& terms, std::span<const Rewrite> rules, const Assume& assume, ProofCheck& result)
      : terms_(terms), rules_(rules), assume_(assume), result_(result) {}

  bool check(const Proof& proof) {
    if (!exists(proof.start) || !exists(proof.goal)) return refuse("the proof names a term that isn't there");
    TermId at = proof.start;
    for (std::size_t i = 0; i < proof.steps.size(); ++i) {
      const ProofStep& step = proof.steps[i];
      const std::string name = "step " + std::to_string(i + 1) + " (" + step.rule + ")";
      if (!exists(step.before) || !exists(step.after)) return refuse(name + " names a term that isn't there");
      if (terms_.at(at, step.position) != step.before) return refuse(name + ": the term isn't at that position");
      if (!is_justified(step)) return result_.message.empty() ? refuse(name + " isn't what the rule says") : false;
      at = terms_.replace(at, step.position, step.after);
    }
    return at == proof.goal || refuse("the steps don't lead to the goal");
  }

 private:
  bool exists(TermId id) const { return id < terms_.size(); }

  bool refuse(const std::string& message) {
    result_.message = message;
    return false;
  }

  bool is_justified(const ProofStep& step) {
    const auto rule = std::ranges::find(rules_, step.rule, &Rewrite::name);
    if (rule == rules_.end()) {
      ++result_.assumed_steps;
      return assume_ && assume_(terms_, step);
    }
    ++(rule->guard ? result_.guarded_steps : result_.rule_steps);
    for (const Proof& premise : step.premises) {
      if (!check(premise)) return false;
    }
    for (std::size_t i = 0; i < rule->rhs.patterns.size(); ++i) {
      if (is_instance(*rule, i, step)) return true;
    }
    return false;
  }

  // Whether the step rewrites by the rule's i-th right side. The variables follow from the terms: those of the left
  // side from one, those that a guard binds from the other one.
  bool is_instance(const Rewrite& rule, std::size_t index, const ProofStep& step) const {
    const TermId left = step.forward ? step.before : step.after;
    const TermId right = step.forward ? step.after : step.before;
    Bindings bound{std::vector<std::optional<TermId>>(rule.variables.classes.size()),
                   std::vector<std::optional<Payload>>(rule.variables.payloads.size())};
    bound.terms[rule.rhs.roots[index]] = left;
    return match_roots(rule, bound) && match_right(rule, index, right, bound) && match_roots(rule, bound) &&
           match_conditions(rule, step.premises, bound);
  }

  // Where a rule has choices, an operator whose payload one of them binds may be the identity.
  bool match_right(const Rewrite& rule, std::size_t index, TermId right, Bindings& bound) const {
    const Pattern& pattern = rule.rhs.patterns[index];
    if (!rule.choices) return match(pattern, right, bound);
    std::vector<std::uint32_t> chosen;
    for (std::uint32_t payload = 0; payload < bound.payloads.size(); ++payload) {
      if (!bound.payloads[payload]) chosen.push_back(payload);
    }
    STRATA_CHECK(chosen.size() < 20, "a rule with so many choices can't be checked");
    for (std::uint32_t subset = 0; subset < 1u << chosen.size(); ++subset) {
      Bindings trial = bound;
      for (std::size_t i = 0; i < chosen.size(); ++i) {
        if ((subset >> i & 1) != 0) trial.payloads[chosen[i]] = kIdentity;
      }
      if (!match(pattern, right, trial)) continue;
      bound = std::move(trial);
      return true;
    }
    return false;
  }

  // Roots that stand for a known term must be instances of their patterns.
  bool match_roots(const Rewrite& rule, Bindings& bound) const {
    for (std::size_t i = 0; i < rule.lhs.patterns.size(); ++i) {
      const auto root = bound.terms[rule.lhs.roots[i]];
      if (root && !rule.is_condition[i] && !match(rule.lhs.patterns[i], *root, bound)) return false;
    }
    return true;
  }

  bool match_conditions(const Rewrite& rule, const std::vector<Proof>& premises, Bindings& bound) const {
    auto premise = premises.begin();
    for (std::size_t i = 0; i < rule.lhs.patterns.size(); ++i) {
      if (!rule.is_condition[i]) continue;
      if (premise == premises.end() || !match(rule.lhs.patterns[i], premise->start, bound) ||
          !agree(bound.terms[rule.lhs.roots[i]], premise->goal)) {
        return false;
      }
      ++premise;
    }
    return premise == premises.end();
  }

  bool match(const Pattern& pattern, TermId id, Bindings& bound) const {
    return match(pattern, static_cast<std::uint32_t>(pattern.nodes.size() - 1), id, bound);
  }

  bool match(const Pattern& pattern, std::uint32_t index, TermId id, Bindings& bound) const {
    const PatternNode& node = pattern.nodes[index];
    if (node.kind == PatternNode::Kind::kVariable) return agree(bound.terms[node.variable], id);
    if (!node.fixed_payload && bound.payloads[node.payload] == kIdentity) {
      return match(pattern, node.children.at(0), id, bound);
    }
    const Term& term = terms_[id];
    if (term.op != node.op || term.children.size() != node.children.size()) return false;
    const bool payload_fits =
        node.fixed_payload ? term.payload == node.payload : agree(bound.payloads[node.payload], term.payload);
    if (!payload_fits) return false;
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      if (!match(pattern, node.children[i], term.children[i], bound)) return false;
    }
    return true;
  }

  TermTable& terms_;
  std::span<const Rewrite> rules_;
  const Assume& assume_;
  ProofCheck& result_;
};

}  // namespace

ProofCheck check_proof(Explanation explanation, std::span<const Rewrite> rules, const Assume& assume) {
  ProofCheck result;
  result.valid = Checker(explanation.terms, rules, assume, result).check(explanation.proof);
  return result;
}

}  // namespace strata::egraph
