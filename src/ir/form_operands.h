// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ir/attention_form.h"
#include "ir/contraction.h"
#include "ir/structured.h"

namespace strata::ir {

// An operand by what it is to the form of the loops, wherever the op has it.
struct FormOperand {
  std::string_view name;
  int number = 0;
};
using FormOperands = std::vector<FormOperand>;

// Of a contraction `left` and `right`, where blocks of k have factors `row_scales` of the left one and `scales` of the
// right one, `outer` of larger blocks; of an attention `query`, `keys` and `values`, and `pages` where these lie in
// pages; of a look-up `table` and `numbers`; of a look-up of elements `row` and `numbers`; of an update of rows
// `target`, `source` and `numbers`; of a concatenation `first` and `second`. None for other loops.
FormOperands form_operands(const LoopNest& nest);

// The same where it is known whether they are a contraction or an attention.
FormOperands form_operands(const LoopNest& nest, const std::optional<Contraction>& contraction,
                           const std::optional<AttentionForm>& attention);

// -1: there is none of that name.
int find_operand(const FormOperands& operands, std::string_view name);

}  // namespace strata::ir
