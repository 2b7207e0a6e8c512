// SPDX-License-Identifier: Apache-2.0
#include "egraph/explain.h"

#include <unordered_map>

#include "base/error.h"

namespace strata::egraph {
namespace {

class Explainer {
 public:
  Explainer(const EGraph& graph, const ExplainLimits& limits, TermTable& terms)
      : graph_(graph), forest_(*graph.proofs()), limits_(limits), terms_(terms) {}

  Proof prove(ClassId a, ClassId b) {
    Proof proof{term(a), term(b), {}};
    std::vector<std::uint32_t> position;
    flatten(a, b, position, proof.steps);
    cut_detours(proof);
    return proof;
  }

  bool is_complete() const { return step_count_ <= limits_.steps; }

 private:
  // The term that an id names. Children are older than their parents, so there is no cycle.
  TermId term(ClassId id) {
    if (const auto known = known_terms_.find(id); known != known_terms_.end()) return known->second;
    const ENode& node = forest_.term(id);
    Term result{node.op, node.payload, {}};
    for (const ClassId child : node.children) result.children.push_back(term(child));
    const TermId made = terms_.add(std::move(result));
    known_terms_.emplace(id, made);
    return made;
  }

  // Appends the steps that lead from a to b. They end: a congruence was found when its children were equal already, so
  // their paths have older edges only.
  void flatten(ClassId a, ClassId b, std::vector<std::uint32_t>& position, std::vector<ProofStep>& steps) {
    if (a == b || !is_complete()) return;
    for (const ProofForest::Step& edge : forest_.path(a, b)) {
      if (edge.why.reason == Justification::kCongruence) {
        flatten_children(edge, position, steps);
      } else {
        steps.push_back(step_of(edge, position));
      }
      if (!is_complete()) return;
    }
  }

  void flatten_children(const ProofForest::Step& edge, std::vector<std::uint32_t>& position,
                        std::vector<ProofStep>& steps) {
    const auto from = forest_.term(edge.from).children;
    const auto to = forest_.term(edge.to).children;
    for (std::uint32_t i = 0; i < from.size(); ++i) {
      position.push_back(i);
      flatten(from[i], to[i], position, steps);
      position.pop_back();
    }
  }

  ProofStep step_of(const ProofForest::Step& edge, const std::vector<std::uint32_t>& position) {
    ++step_count_;
    ProofStep step{position, graph_.symbols().name(edge.why.reason), edge.why.forward, term(edge.from), term(edge.to),
                   {}};
    for (const Equation& equation : forest_.premises(edge.why)) {
      step.premises.push_back(prove(equation.left, equation.right));
    }
    return step;
  }

  // Whenever the whole term has been there before, the steps since then lead nowhere.
  void cut_detours(Proof& proof) {
    std::unordered_map<TermId, std::size_t> step_count_at = {{proof.start, 0}};
    std::vector<TermId> reached = {proof.start};
    std::vector<ProofStep> kept;
    for (ProofStep& step : proof.steps) {
      const TermId whole = terms_.replace(reached.back(), step.position, step.after);
      kept.push_back(std::move(step));
      reached.push_back(whole);
      const auto [entry, is_new] = step_count_at.emplace(whole, kept.size());
      if (is_new) continue;
      while (reached.size() > entry->second + 1) {
        if (reached.back() != whole) step_count_at.erase(reached.back());
        reached.pop_back();
        kept.pop_back();
      }
    }
    proof.steps = std::move(kept);
  }

  const EGraph& graph_;
  const ProofForest& forest_;
  const ExplainLimits& limits_;
  TermTable& terms_;
  std::unordered_map<ClassId, TermId> known_terms_;
  std::size_t step_count_ = 0;
};

}  // namespace

std::optional<Explanation> explain(const EGraph& graph, ClassId a, ClassId b, const ExplainLimits& limits) {
  STRATA_CHECK(graph.proofs(), "explain() needs an e-graph with explanations");
  if (!graph.same(a, b)) return std::nullopt;
  Explanation result;
  Explainer explainer(graph, limits, result.terms);
  result.proof = explainer.prove(a, b);
  if (!explainer.is_complete()) return std::nullopt;
  return result;
}

}  // namespace strata::egraph
