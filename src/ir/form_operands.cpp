// SPDX-License-Identifier: Apache-2.0
#include "ir/form_operands.h"

#include <algorithm>

#include "ir/attention_form.h"
#include "ir/contraction.h"
#include "ir/movement_form.h"

namespace strata::ir {

FormOperands form_operands(const LoopNest& nest) {
  if (const auto of = contraction(nest)) return {{"left", of->left}, {"right", of->right}};
  if (is_plain(nest)) return {};
  if (const auto of = row_lookup(nest)) return {{"table", of->table}, {"numbers", of->numbers}};
  if (const auto of = row_update(nest)) {
    return {{"target", of->target}, {"source", of->source}, {"numbers", of->numbers}};
  }
  if (const auto of = concatenation(nest)) return {{"first", of->first}, {"second", of->second}};
  if (const auto of = attention_form(nest)) {
    return {{"query", of->queries}, {"keys", of->keys}, {"values", of->values}};
  }
  return {};
}

int find_operand(const FormOperands& operands, std::string_view name) {
  const auto found = std::ranges::find(operands, name, &FormOperand::name);
  return found == operands.end() ? -1 : found->number;
}

}  // namespace strata::ir
