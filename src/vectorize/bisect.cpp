// SPDX-License-Identifier: Apache-2.0
#include "vectorize/bisect.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "egraph/explain.h"
#include "ir/rewrite.h"
#include "ir/roles.h"
#include "rules/algebra.h"
#include "vectorize/layout_rules.h"
#include "vectorize/program_graph.h"
#include "vectorize/term_values.h"

namespace strata::vectorize {
namespace {

using egraph::ClassId;

// Wrong equalities whose proofs are compared; all come from few rules.
constexpr std::size_t kMostProofs = 50;
// Sizes that are neither one nor a multiple of anything, where the symbol allows it.
constexpr std::int64_t kWantedSize = 5;

ir::Module with_numbers(const ir::Module& module) {
  std::map<std::string, ir::SymbolValue> sizes;
  for (const auto& symbol : module.symbols()) {
    const std::int64_t multiple = std::max<std::int64_t>(1, symbol->multiple);
    const std::int64_t wanted = (kWantedSize + multiple - 1) / multiple * multiple;
    sizes[symbol->name] = std::clamp(wanted, symbol->min, symbol->max);
  }
  return ir::specialise(module, sizes);
}

std::vector<std::string> entries_of(const ir::Module& module) {
  std::vector<std::string> entries;
  const auto counts = ir::call_counts(module, {});
  for (const auto& function : module.functions())
    if (counts.at(function.get()) == 0) entries.push_back(function->name);
  return entries;
}

struct Wrong {
  ClassId first, other;  // terms
};

// Of each class the terms that don't have the value of its first one.
std::vector<Wrong> wrong_equalities(const egraph::EGraph& graph, TermValues& values, std::size_t& terms) {
  std::map<ClassId, ClassId> first_of;
  std::vector<Wrong> found;
  for (ClassId term = 0; term < graph.id_count(); ++term) {
    const TermValues::Held value = values.of(term);
    if (!value) continue;
    ++terms;
    const auto [first, is_new] = first_of.try_emplace(graph.find(term), term);
    if (!is_new && differ(*value, *values.of(first->second))) found.push_back({first->second, term});
  }
  return found;
}

struct Culprit {
  const egraph::ProofStep* step = nullptr;
  double error = 0;
};

// A step whose sides differ; those of what it rests on first.
class Replay {
 public:
  Replay(const egraph::Explanation& explanation, const TermValues& values)
      : terms_(explanation.terms), values_(values) {
    search(explanation.proof);
  }
  const Culprit& culprit() const { return culprit_; }

  // Its steps, a line each; those of premises indented.
  std::string text(const egraph::Proof& proof, const std::string& indent = "") const {
    std::string all;
    for (const egraph::ProofStep& step : proof.steps) {
      for (const egraph::Proof& premise : step.premises) all += text(premise, indent + "  ");
      all += indent + (&step == culprit_.step ? "=> " : "   ") + step.rule +
             (step.forward ? "" : ", from right to left") + "\n" + indent + "       " +
             values_.text(terms_, step.before) + "\n" + indent + "     = " + values_.text(terms_, step.after) + "\n";
    }
    return all;
  }

 private:
  void search(const egraph::Proof& proof) {
    for (const egraph::ProofStep& step : proof.steps) {
      for (const egraph::Proof& premise : step.premises) search(premise);
      if (culprit_.step != nullptr) return;
      const auto before = values_.of(terms_, step.before, known_);
      const auto after = values_.of(terms_, step.after, known_);
      if (!before || !after) continue;
      if (differ(*after, *before)) culprit_ = {&step, relative_error(after->value, before->value)};
    }
  }

  const egraph::TermTable& terms_;
  const TermValues& values_;
  TermValues::Known known_;
  Culprit culprit_;
};

// By the shortest proof that has a guilty step. Without one, many small differences add up: nothing is guilty.
void find_guilty(const egraph::EGraph& graph, const TermValues& values, const std::vector<Wrong>& wrong,
                 Bisection& result) {
  std::size_t shortest = 0;
  for (std::size_t i = 0; i < std::min(wrong.size(), kMostProofs); ++i) {
    const auto explanation = egraph::explain(graph, wrong[i].first, wrong[i].other, {.steps = 10'000});
    if (!explanation) continue;
    const std::size_t length = explanation->proof.steps.size();
    if (!result.guilty_rule.empty() && length >= shortest) continue;
    const Replay replay(*explanation, values);
    if (replay.culprit().step == nullptr) continue;
    shortest = length;
    result.guilty_rule = replay.culprit().step->rule;
    result.error = replay.culprit().error;
    result.proof = replay.text(explanation->proof);
  }
}

}  // namespace

RuleSource all_rules(const machine::Machine& machine) {
  return [&machine](rules::TensorGraph& tensors) {
    std::vector<egraph::Rewrite> all = rules::algebra_rules(tensors);
    for (egraph::Rewrite& rule : layout_rules(tensors, machine)) all.push_back(std::move(rule));
    return all;
  };
}

Bisection bisect(const ir::Module& module, const RuleSource& rules, const egraph::RunnerLimits& limits) {
  const ir::Module numbers = with_numbers(module);
  ProgramGraph program({{"module", &numbers, entries_of(numbers)}}, {}, true);
  rules::TensorGraph& tensors = program.tensors();
  const std::vector<egraph::Rewrite> all = rules(tensors);
  egraph::run(tensors.graph(), all, limits);
  TermValues values(tensors);
  Bisection result;
  const std::vector<Wrong> wrong = wrong_equalities(tensors.graph(), values, result.terms);
  result.wrong = wrong.size();
  find_guilty(tensors.graph(), values, wrong, result);
  return result;
}

}  // namespace strata::vectorize
