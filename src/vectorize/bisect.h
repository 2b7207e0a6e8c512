// SPDX-License-Identifier: Apache-2.0
// From a wrong value to the guilty rule.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "egraph/rewrite.h"
#include "egraph/runner.h"
#include "ir/expr.h"
#include "machine/machine.h"
#include "rules/tensor_graph.h"

namespace strata::vectorize {

// The rules to try, for a graph that outlives them.
using RuleSource = std::function<std::vector<egraph::Rewrite>(rules::TensorGraph&)>;
RuleSource all_rules(const machine::Machine& machine);

struct Bisection {
  std::size_t terms = 0;    // that were evaluated
  std::size_t wrong = 0;    // that don't have the value of what they are said to equal
  std::string guilty_rule;  // empty: no term is wrong
  double error = 0;         // of the guilty step: ||after - before|| / ||before||
  std::string proof;        // the shortest one found of a wrong equality, the guilty step marked; for people
};

// Saturates the module, with the smallest sizes that its symbols allow, in a graph that remembers why terms are equal.
// Each term is evaluated as its ops define it, on random leaves; two terms of one class with values further apart than
// rounding explains are a wrong equality. Its proof is replayed: the step whose sides differ is the guilty one. What is
// found doesn't depend on which plan would be extracted. Calls between functions are taken as unknown values.
Bisection bisect(const ir::Module& module, const RuleSource& rules,
                 const egraph::RunnerLimits& limits = {.iterations = 30, .nodes = 20'000});

}  // namespace strata::vectorize
