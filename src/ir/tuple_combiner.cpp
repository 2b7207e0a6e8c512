// SPDX-License-Identifier: Apache-2.0
#include "ir/tuple_combiner.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "base/error.h"

namespace strata::ir {
namespace {

using Kind = ScalarExpr::Kind;

struct NamedReduction {
  std::string_view name;
  std::array<const char*, 2> inputs;
  const char* declaration;
};

constexpr std::array<NamedReduction, 1> kRows = {{
    {"softmax_sum",
     {"x", "v"},
     "m[] = max(i) x[i]; s[] = sum(i) exp(x[i] - m[]); a[] = sum(i) exp(x[i] - m[]) * v[i]; y[] = a[] / s[]"},
}};

const NamedReduction* find_row(std::string_view name) {
  const auto* const found = std::ranges::find(kRows, name, &NamedReduction::name);
  return found == kRows.end() ? nullptr : found;
}

// Inputs are scalars where the combiner is used.
void drop_indices(ScalarExpr& body) {
  body.index.clear();
  for (ScalarExpr& argument : body.arguments) drop_indices(argument);
}

TupleCombiner parse(const NamedReduction& row) {
  TupleCombiner combiner{std::string(row.name), {row.inputs.begin(), row.inputs.end()}, {}, {}};
  const StructuredDeclaration declaration(row.declaration, combiner.inputs);
  LoopNest nest = declaration.apply(combiner.name, std::vector<Shape>(combiner.inputs.size(), Shape{1}));
  for (Stage& stage : nest.stages) drop_indices(stage.body);
  combiner.result = std::move(nest.stages.back().body);
  nest.stages.pop_back();
  combiner.states = std::move(nest.stages);
  return combiner;
}

bool is_call_of(const ScalarExpr& body, std::string_view function) {
  return body.kind == Kind::kCall && body.name == function;
}
bool is_input(const ScalarExpr& body, int number) { return body.kind == Kind::kOperand && body.number == number; }
bool is_state(const ScalarExpr& body, int number) { return body.kind == Kind::kStage && body.number == number; }

// exp(x - m).
bool is_weight(const ScalarExpr& body) {
  if (!is_call_of(body, "exp") || !is_call_of(body.arguments[0], "sub")) return false;
  return is_input(body.arguments[0].arguments[0], 0) && is_state(body.arguments[0].arguments[1], 0);
}

bool reads_states(const ScalarExpr& body) {
  return body.kind == Kind::kStage || std::ranges::any_of(body.arguments, reads_states);
}

}  // namespace

int tuple_inputs(std::string_view name) {
  const NamedReduction* const row = find_row(name);
  return row == nullptr ? -1 : static_cast<int>(row->inputs.size());
}

const TupleCombiner& tuple_combiner(std::string_view name) {
  static const std::map<std::string_view, TupleCombiner> kCombiners = [] {
    std::map<std::string_view, TupleCombiner> all;
    for (const NamedReduction& row : kRows) all.emplace(row.name, parse(row));
    return all;
  }();
  const auto found = kCombiners.find(name);
  STRATA_CHECK(found != kCombiners.end(), "there is no combiner " + std::string(name));
  return found->second;
}

std::vector<std::string_view> tuple_combiner_names() {
  std::vector<std::string_view> names;
  for (const NamedReduction& row : kRows) names.push_back(row.name);
  return names;
}

bool is_online(const TupleCombiner& combiner) {
  const Stage& first = combiner.states.front();
  if (first.combiner != Combiner::kMax || !is_input(first.body, 0)) return false;
  return std::all_of(combiner.states.begin() + 1, combiner.states.end(), [](const Stage& state) {
    if (state.combiner != Combiner::kSum) return false;
    const ScalarExpr& body = state.body;
    return is_weight(body) ||
           (is_call_of(body, "mul") && is_weight(body.arguments[0]) && !reads_states(body.arguments[1]));
  });
}

}  // namespace strata::ir
