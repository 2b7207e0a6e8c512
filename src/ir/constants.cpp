// SPDX-License-Identifier: Apache-2.0
#include "ir/constants.h"

#include <algorithm>

#include "ir/op.h"
#include "ir/text.h"

namespace strata::ir {

bool changes_lanes_only(const Expr& value) {
  if (value.kind != Expr::Kind::kOp || value.arguments.size() != 1) return false;
  const TensorType& from = value.arguments[0]->type();
  return value.op->changes_layout() && from.dtype == value.type().dtype && is_row_major_in_memory(from) &&
         is_row_major_in_memory(value.type());
}

std::unordered_set<const Expr*> constants(const Function& function) {
  std::unordered_set<const Expr*> found;
  const auto is_found = [&](const Expr* argument) { return found.contains(argument); };
  for (const Expr* value : topological_order(function)) {
    const bool is_leaf = value->kind == Expr::Kind::kWeight || value->kind == Expr::Kind::kScalar;
    const bool is_op = value->kind == Expr::Kind::kOp && !changes_lanes_only(*value) &&
                       std::ranges::all_of(value->arguments, is_found) &&
                       std::ranges::find(function.results, value) == function.results.end();
    if (is_leaf || is_op) found.insert(value);
  }
  return found;
}

std::string constant_text(const Expr& constant) { return to_text(Function{"constant", {}, {&constant}}); }

std::vector<const Expr*> weights_of(const Expr& constant) {
  std::vector<const Expr*> weights;
  for (const Expr* value : topological_order({"constant", {}, {&constant}})) {
    if (value->kind == Expr::Kind::kWeight) weights.push_back(value);
  }
  return weights;
}

}  // namespace strata::ir
