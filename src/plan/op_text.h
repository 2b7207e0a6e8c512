// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <span>
#include <string>

#include "ir/expr.h"
#include "ir/op.h"

namespace strata::plan {

// The layouts of an op's operands and result, as far as they are packed: "a<6@0, 2@1>, b<16@0, 2@1> -> <16@1>", or
// "row-major".
std::string layout_text(const ir::Expr& value);
std::string layout_text(const ir::Op& op, std::span<const ir::TensorType> operands, const ir::TensorType& result);

// Names for the ops of a function, all different: that of the weight or bias which an op applies ("q_proj",
// "input_layernorm", "q_proj.bias"; several joined by '+'), else the op's own ("attention"). An op that is there more
// than once is told apart by the weight nearest to where its operands come from ("rope.q_norm"), a pack by the weight
// that its first user applies ("pack.o_proj"), then by a number.
std::map<const ir::Expr*, std::string> op_names(const ir::Function& function);

}  // namespace strata::plan
