// SPDX-License-Identifier: Apache-2.0
#include "rules/algebra.h"

namespace strata::rules {
namespace {

using egraph::ClassId;
using egraph::EGraph;
using egraph::Match;

std::int64_t size_of(const TensorGraph& tensors, ClassId id, std::size_t axis) {
  return tensors.type(id).shape[axis].factor();
}

// The last matrix that a joined constant ends with; the constant itself if it isn't joined.
ClassId last_part(const TensorGraph& tensors, ClassId id) {
  const auto nodes = tensors.graph().nodes(id);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (tensors.op_of(nodes[i]) == &ir::get_op("concat")) return tensors.graph().find(nodes[i].children[1]);
  }
  return id;
}

}  // namespace

std::vector<egraph::Rewrite> algebra_rules(TensorGraph& tensors) {
  std::vector<egraph::Rewrite> rules;
  // Two matrices that multiply the same input, as one: its input is read once, and its columns are one long stream.
  const auto merge = [&tensors](EGraph& graph, Match& match) {
    const ClassId x = match.class_of("?x");
    const ClassId v = graph.find(match.class_of("?v"));
    const ClassId w = graph.find(match.class_of("?w"));
    const bool are_constants = tensors.facts(v).is_constant && tensors.facts(w).is_constant;
    const auto row_major = [&](ClassId id) { return tensors.type(id).layout.is_row_major(); };
    if (!are_constants || !row_major(x) || !row_major(v) || !row_major(w)) return false;
    if (tensors.type(v).dtype != tensors.type(w).dtype || tensors.type(v).rank() != 2) return false;
    // In one order only, each once: a joined constant grows at its end.
    if (last_part(tensors, w) != w || last_part(tensors, v) >= w) return false;
    const auto axis = static_cast<std::int64_t>(tensors.type(x).rank()) - 1;
    const std::int64_t first = size_of(tensors, v, 0);
    const std::int64_t both = first + size_of(tensors, w, 0);
    match.bind_payload("?c", tensors.payload({{"axis", std::int64_t{0}}}));
    match.bind_payload("?s", tensors.payload({{"axis", axis}, {"begin", std::int64_t{0}}, {"end", first}}));
    match.bind_payload("?t", tensors.payload({{"axis", axis}, {"begin", first}, {"end", both}}));
    return true;
  };
  rules.push_back(egraph::make_rewrite(
      tensors.symbols(), "merge-matmuls", "?a = matmul_nt(?x, ?v); ?b = matmul_nt(?x, ?w)",
      "?a = slice{?s}(matmul_nt(?x, concat{?c}(?v, ?w))); ?b = slice{?t}(matmul_nt(?x, concat{?c}(?v, ?w)))", merge));
  return rules;
}

}  // namespace strata::rules
