// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "distribution/graph.h"
#include "distribution/state.h"
#include "ir/sbp_signature.h"
#include "machine/machine.h"

namespace strata::distribution {

// One way of dividing a node: for each axis of the mesh a signature of the op, whole sequences, or nothing.
struct Strategy {
  std::vector<State> operands;  // of scalar constants whole
  State result;

  bool operator==(const Strategy&) const = default;
};

// The op's signatures. Of partial results only those combiners are there
// that something of the graph makes: sums, and states of a tuple.
// `knows_part`: with those of devices that must know their part.
std::vector<ir::SbpSignature> signatures_of(const ir::Expr& op, bool knows_part = true);

// Of axes that ops divide together, the one of fewer elements says what all are divided in: columns in whole heads, and
// query heads in those that share a key/value head.
void find_granules(Graph& graph);

// All ways that are possible in every one of the phases: no axis has more parts than elements, and the parts of axes
// that are divided together belong together.
std::vector<Strategy> strategies_of(const Graph& graph, const Node& node, const Mesh& mesh,
                                    const std::vector<Phase>& phases);

// The axis of the mesh along which each device looks up the rows of its own part of a table, by a strategy; -1: none.
int lookup_axis(const ir::Expr& op, const Strategy& strategy);

// What the node takes on the device that has the most to do, once, in seconds: the roofline of the machine, with
// constants and caches from the outermost memory and all else from the innermost that holds it.
double node_seconds(const Graph& graph, const Node& node, const Strategy& strategy, const Mesh& mesh,
                    const Phase& phase, const machine::Machine& machine);

// Bytes of the states that a partial result of a tuple consists of, by those of the result: an online softmax has a
// maximum and a sum for each row beside it.
double tuple_ratio(const ir::Expr& op);

// Of a value in a phase.
Extents extents_of(const Value& value, const Phase& phase);

}  // namespace strata::distribution
