// SPDX-License-Identifier: Apache-2.0
#include "ir/form_operands.h"

#include <algorithm>

#include "ir/movement_form.h"

namespace strata::ir {
namespace {

FormOperands contraction_operands(const Contraction& of) {
  FormOperands operands = {{"left", of.left}, {"right", of.right}};
  for (const BlockFactor& factor : of.factors) {
    const bool is_first = find_operand(operands, "scales") < 0;
    operands.push_back({factor.is_left ? "row_scales" : is_first ? "scales" : "outer", factor.operand});
  }
  return operands;
}

FormOperands attention_operands(const AttentionForm& of) {
  FormOperands operands = {{"query", of.queries}, {"keys", of.keys}, {"values", of.values}};
  if (of.pages) operands.push_back({"pages", of.pages->numbers});
  return operands;
}

}  // namespace

FormOperands form_operands(const LoopNest& nest, const std::optional<Contraction>& contraction,
                           const std::optional<AttentionForm>& attention) {
  if (contraction) return contraction_operands(*contraction);
  if (attention) return attention_operands(*attention);
  if (is_plain(nest)) return {};
  if (const auto of = row_lookup(nest)) return {{"table", of->table}, {"numbers", of->numbers}};
  if (const auto of = element_lookup(nest)) return {{"row", of->row}, {"numbers", of->numbers}};
  if (const auto of = row_update(nest)) {
    return {{"target", of->target}, {"source", of->source}, {"numbers", of->numbers}};
  }
  if (const auto of = concatenation(nest)) return {{"first", of->first}, {"second", of->second}};
  return {};
}

FormOperands form_operands(const LoopNest& nest) {
  return form_operands(nest, contraction(nest), is_plain(nest) ? std::nullopt : attention_form(nest));
}

int find_operand(const FormOperands& operands, std::string_view name) {
  const auto found = std::ranges::find(operands, name, &FormOperand::name);
  return found == operands.end() ? -1 : found->number;
}

}  // namespace strata::ir
