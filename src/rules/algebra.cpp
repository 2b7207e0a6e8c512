// SPDX-License-Identifier: Apache-2.0
#include "rules/algebra.h"

#include <algorithm>
#include <iterator>

namespace strata::rules {

Table algebra_table() {
  Table all = movement_table();
  for (const Table& table : {elementwise_table(), contraction_table(), blocks_table(), attention_table()})
    all.insert(all.end(), table.begin(), table.end());
  return all;
}

std::vector<egraph::Rewrite> algebra_rules(TensorGraph& tensors) {
  std::vector<egraph::Rewrite> rules = make_rules(tensors, algebra_table());
  std::ranges::move(slice_rules(tensors), std::back_inserter(rules));
  return rules;
}

}  // namespace strata::rules
