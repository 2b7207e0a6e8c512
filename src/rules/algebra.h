// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "rules/tensor_graph.h"

namespace strata::rules {

// Equalities of tensor algebra, whatever the machine. The graph must outlive them.
std::vector<egraph::Rewrite> algebra_rules(TensorGraph& tensors);

}  // namespace strata::rules
