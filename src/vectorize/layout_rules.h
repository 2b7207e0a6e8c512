// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "egraph/rewrite.h"
#include "encoding/encoding.h"
#include "machine/machine.h"
#include "rules/tensor_graph.h"

namespace strata::vectorize {

// The rules of Auto Vectorize (nncase, arXiv 2512.21571, section 3.1.1): "vectorize-OP" puts each candidate of an op
// between `pack` and `unpack`, op(x) = unpack(op(pack(x))); the others fold what then stands side by side, so that a
// chain of ops stays packed. The graph and the machine must outlive the rules.
std::vector<egraph::Rewrite> layout_rules(rules::TensorGraph& graph, const machine::Machine& machine);

// Of these the names of the rules that round rows to the codes that quantised weights meet.
std::vector<std::string> rounded_rows_rules();

// The encodings that kernels decode in the machine's registers.
std::vector<const encoding::Encoding*> decodable(const machine::Machine& machine);

}  // namespace strata::vectorize
