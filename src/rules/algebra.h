// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "rules/rule_table.h"

namespace strata::rules {

// Equalities of tensor algebra, whatever the machine. The graph must outlive them.
std::vector<egraph::Rewrite> algebra_rules(TensorGraph& tensors);

// slice(op(x, y)) = op(slice(x), slice(y)) for every op that makes each part of an axis by itself; of algebra_rules().
std::vector<egraph::Rewrite> slice_rules(TensorGraph& tensors);

Table movement_table();
Table elementwise_table();
Table contraction_table();
Table attention_table();
Table blocks_table();

// All of them.
Table algebra_table();

}  // namespace strata::rules
