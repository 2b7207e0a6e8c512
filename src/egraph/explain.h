// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "egraph/egraph.h"
#include "egraph/rewrite.h"

namespace strata::egraph {

using TermId = std::uint32_t;

struct Term {
  Symbol op = 0;
  Payload payload = 0;
  std::vector<TermId> children;
  auto operator<=>(const Term&) const = default;
};

// Terms as a graph without cycles; equal terms have equal ids. Knows nothing of classes.
class TermTable {
 public:
  TermTable() = default;
  TermTable(const TermTable& other);
  TermTable& operator=(const TermTable& other);
  TermTable(TermTable&&) = default;
  TermTable& operator=(TermTable&&) = default;

  TermId add(Term term);
  const Term& operator[](TermId id) const { return *terms_[id]; }
  std::size_t size() const { return terms_.size(); }

  // The subterm at a path of child indices, if there is one.
  std::optional<TermId> at(TermId id, std::span<const std::uint32_t> position) const;
  // The term with another subterm at that path, which must exist.
  TermId replace(TermId id, std::span<const std::uint32_t> position, TermId subterm);

  // f{payload}(children) by the names of the operators; payload 0 isn't printed. Long terms are cut short with "...".
  std::string text(TermId id, const Symbols& symbols, std::size_t max_length = 2000) const;

 private:
  std::map<Term, TermId> ids_;  // addresses stay, terms_ refers to them
  std::vector<const Term*> terms_;
};

struct Proof;

// The subterm at `position` was `before` and becomes `after`: by the rule, read from left to right (forward) or back.
struct ProofStep {
  std::vector<std::uint32_t> position;
  std::string rule;
  bool forward = true;
  TermId before = 0;
  TermId after = 0;
  // For the left patterns that are conditions (Rewrite::is_condition), in their order: the pattern's instance equals
  // what its root variable stands for.
  std::vector<Proof> premises;
};

struct Proof {
  TermId start = 0;
  TermId goal = 0;
  std::vector<ProofStep> steps;
};

// Why two terms are equal, readable without the graph.
struct Explanation {
  TermTable terms;
  Proof proof;

  std::string text(const Symbols& symbols) const;
};

struct ExplainLimits {
  std::size_t steps = 1'000'000;  // a flat proof can be exponentially long, since it repeats shared parts
};

// A proof that the terms which `a` and `b` name are equal; nothing if they aren't, or if it has too many steps. For a
// graph with explanations; needs no rebuild(). Methods: the proof forest, and egg's flattening ("Small Proofs from
// Congruence Closure", Flatt et al., 2022, without its search for the smallest proof); detours through a term that was
// there before are cut out.
std::optional<Explanation> explain(const EGraph& graph, ClassId a, ClassId b, const ExplainLimits& limits = {});

struct ProofCheck {
  bool valid = false;
  std::string message;            // what is wrong, if it isn't valid
  std::size_t rule_steps = 0;     // by a rule without a guard: checked completely
  std::size_t guarded_steps = 0;  // both sides checked against the rule's patterns; the guard isn't asked again
  std::size_t assumed_steps = 0;  // by a reason that is no rule, and that `assume` accepted
};

// Steps whose reason is no rule (given equalities, merges of an analysis or a guard): may they be used?
using Assume = std::function<bool(const TermTable&, const ProofStep&)>;

// Replays a proof step by step, knowing only its terms and the rules' patterns: the graph and the code that found the
// proof have no say.
ProofCheck check_proof(Explanation explanation, std::span<const Rewrite> rules, const Assume& assume = {});

}  // namespace strata::egraph
