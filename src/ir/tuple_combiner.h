// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/structured.h"

namespace strata::ir {

// A combiner whose state is a tuple. It is declared as what it means: reductions over one iterator, each of which may
// read the ones before it, and what is made of their results.
//
//   softmax_sum(x, v)   m[] = max(i) x[i]; s[] = sum(i) exp(x[i] - m[]); a[] = sum(i) exp(x[i] - m[]) * v[i];
//                       y[] = a[] / s[]
//
// The sums' terms hold exp(x - m) once, so sums over a part are rescaled to the maximum of the whole by exp(m_part -
// m_whole): the combiner is associative, and runs in one pass over any division of its iterator (Milakov and
// Gimelshein, arXiv 1805.02867). `is_online` checks that form.
struct TupleCombiner {
  std::string name;
  std::vector<std::string> inputs;
  std::vector<Stage> states;  // bodies read inputs (kOperand, without index) and earlier states (kStage)
  ScalarExpr result;          // of the states
};

// The number of inputs of the tuple combiner of this name; -1: there is none.
int tuple_inputs(std::string_view name);

const TupleCombiner& tuple_combiner(std::string_view name);  // must exist
std::vector<std::string_view> tuple_combiner_names();

// Whether the first state is the maximum m of the first input x, and every other one a sum of exp(x - m), times other
// inputs or not.
bool is_online(const TupleCombiner& combiner);

}  // namespace strata::ir
