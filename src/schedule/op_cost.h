// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "ir/expr.h"
#include "machine/machine.h"

namespace strata::schedule {

struct OpCost {
  double flops = 0;
  double bytes = 0;
  double predicted_s = 0;
};

// The roofline of an op for run-time sizes by symbol; a symbol that is not given is at its upper bound. Arithmetic on
// the unit of the operands' type, every operand and result once at the level that holds them together.
OpCost op_cost(const ir::Expr& value, const machine::Machine& machine,
               const std::map<std::string, std::int64_t>& sizes = {}, int threads = 1);

}  // namespace strata::schedule
