// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ir/attention_form.h"
#include "ir/expr.h"

namespace strata::codegen {

// C++ of what an attention's declaration says of its scores, as the kernels of tensor/attention.h take it.
class ScoreCode {
 public:
  // `operands`: pointers. The op's loops must be an attention's.
  ScoreCode(const ir::Expr& value, std::vector<std::string> operands);

  std::string factor() const;  // of the products: a number
  std::string map() const;     // what a scaled product becomes: a function of a vector
  std::string seen() const;    // the keys that a query sees: a function of its number

 private:
  std::string scalar(const ir::ScalarExpr& body) const;
  std::string integer(const ir::ScalarExpr& body) const;

  const ir::Expr& value_;
  std::vector<std::string> operands_;
  ir::AttentionForm form_;
};

}  // namespace strata::codegen
