// SPDX-License-Identifier: Apache-2.0
// Sums of products: the other ways of writing one, what can be folded into their constant matrices, and several as one.
#include <optional>

#include "rules/algebra.h"
#include "rules/conditions.h"

namespace strata::rules {
namespace {

std::int64_t size_of(const ir::TensorType& type, int axis) { return type.shape[axis].factor(); }

bool is_op(const TensorGraph& tensors, const egraph::ENode& node, const char* op) {
  return tensors.op_of(node) == &ir::get_op(op);
}

constexpr int kLeafDepth = 4;

// The rank of a constant that isn't joined, by the leaf that it is made of: leaves are numbered as they are first met,
// and a class keeps its leaf whatever it is merged with. Nothing for a joined one, and far from any leaf.
std::optional<egraph::Payload> leaf_rank(const TensorGraph& tensors, egraph::ClassId id, int depth = kLeafDepth) {
  std::optional<egraph::Payload> rank;
  for (const egraph::ENode node : tensors.graph().nodes(id)) {
    if (is_op(tensors, node, "concat")) return std::nullopt;
    if (tensors.is_leaf(node)) return node.payload;
    if (rank || depth == 0 || node.children.empty() || is_op(tensors, node, "slice")) continue;
    rank = leaf_rank(tensors, node.children[0], depth - 1);
  }
  return rank;
}

// The rank of the last matrix of a constant, joined or not.
std::optional<egraph::Payload> last_rank(const TensorGraph& tensors, egraph::ClassId id) {
  for (const egraph::ENode node : tensors.graph().nodes(id)) {
    if (is_op(tensors, node, "concat")) return leaf_rank(tensors, node.children[1]);
  }
  return leaf_rank(tensors, id);
}

// Constants that may be joined: in one order only, each once, at the end. Else every order would be a constant.
Condition may_join(std::string v, std::string w) {
  return [v, w](Matched& m) {
    if (!m.facts(v).is_constant || !m.facts(w).is_constant) return false;
    const auto rank = leaf_rank(m.tensors(), m.class_of(w));
    const auto last = last_rank(m.tensors(), m.class_of(v));
    return rank && last && *last < *rank;
  };
}

// Products that are summands of another one, for matrices in blocks with shifts (blocks.cpp), and products of rounded
// rows, which the rows before rounding have joined already. Joined in every way beside each other, the former cost the
// extraction ten times its work and save 0.03 % of a step (SmolLM2-135M in Q4_1).
Condition is_in_parts(std::string x, std::string v, std::string w) {
  return [=](Matched& m) {
    const auto is = [&](const std::string& variable, const char* op) {
      return m.tensors().is_made_by(m.class_of(variable), op);
    };
    return is(x, "scale_blocks") || is(x, "reduce_sum") || is(v, "affine_blocks") || is(w, "affine_blocks") ||
           is(v, "scale_unshifted") || is(w, "scale_unshifted");
  };
}

// Columns of a joined matrix are columns of its parts, which have rules of their own.
Condition is_not_joined(std::string w) {
  return [w](Matched& m) { return leaf_rank(m.tensors(), m.class_of(w)).has_value(); };
}

// The columns of ?x times the rows of ?first, or of ?second that follow them.
Compute first_columns(std::string x, std::string first) {
  return [x, first](const Matched& m) {
    const std::int64_t axis = m.type(x).rank() - 1;
    return ir::Attributes{{"axis", axis}, {"begin", std::int64_t{0}}, {"end", size_of(m.type(first), 0)}};
  };
}

Compute second_columns(std::string x, std::string first, std::string second) {
  return [x, first, second](const Matched& m) {
    const std::int64_t axis = m.type(x).rank() - 1;
    const std::int64_t begin = size_of(m.type(first), 0);
    return ir::Attributes{{"axis", axis}, {"begin", begin}, {"end", begin + size_of(m.type(second), 0)}};
  };
}

}  // namespace

// clang-format off
Table contraction_table() {
  return {
      {"matmul-as-nt", "matmul(?x, ?w)", "matmul_nt(?x, transpose{?t}(?w))", let("?t", last_two_swapped("?w"))},
      {"nt-as-matmul", "matmul_nt(?x, transpose{?t}(?w))", "matmul(?x, ?w)", is_axis_swap("?t")},
      {"tn-as-matmul", "matmul_tn(?x, ?w)", "matmul(transpose{?t}(?x), ?w)", let("?t", last_two_swapped("?x"))},
      {"matmul-as-tn", "matmul(transpose{?t}(?x), ?w)", "matmul_tn(?x, ?w)", is_axis_swap("?t")},
      {"batch-matmul-as-nt", "batch_matmul(?x, ?w)", "batch_matmul_nt(?x, transpose{?t}(?w))", let("?t", last_two_swapped("?w"))},
      {"batch-nt-as-matmul", "batch_matmul_nt(?x, transpose{?t}(?w))", "batch_matmul(?x, ?w)", is_axis_swap("?t")},
      {"transpose-of-product", "transpose{?t}(matmul_nt(?x, ?w))", "matmul_nt(?w, ?x)", is_axis_swap("?t")},

      // Matrices that lie one behind the other.
      {"routed-by-number", "routed_matmul_nt(?x, reshape{?r}(?w), ?i)", "matmul_nt_by_number{?e}(?x, ?w, ?i)", all({has_rank("?w", 2), let("?e", matrices_of("?r", "?w"))})},
      {"routed-rows-by-number", "routed_rows_matmul_nt(?x, reshape{?r}(?w), ?i)", "matmul_nt_by_number{?e}(?x, ?w, ?i)", all({has_rank("?w", 2), let("?e", matrices_of("?r", "?w"))})},

      {"slice-of-columns", "slice{?p}(matmul_nt(?x, ?w))", "matmul_nt(?x, slice{?r}(?w))", all({is_constant("?w"), is_not_joined("?w"), on_last_axis("?p", "?x"), let("?r", slice_of("?p", 0))}), kLeafDepth},

      {"scale-before-MATMUL", "MATMUL(mul(?x, ?s), ?w)", "mul(MATMUL(?x, ?w), ?s)", all({is_moderate("?s"), is_f32("?x"), is_f32("?s")})},
      {"scale-of-matrix-MATMUL", "MATMUL(?x, mul(?w, ?s))", "mul(MATMUL(?x, ?w), ?s)", all({is_moderate("?s"), is_f32("?w"), is_f32("?s")})},
      {"scale-into-MATMUL", "mul(MATMUL(?x, ?w), ?s)", "MATMUL(?x, mul(?w, ?s))", all({is_moderate("?s"), is_constant("?w"), is_f32("?w"), is_f32("?s")})},
      {"column-scale-into-matrix", "mul(matmul_nt(?x, ?w), ?v)", "matmul_nt(?x, mul(?w, reshape{?c}(?v)))", all({is_constant("?w"), is_constant("?v"), is_f32("?w"), is_f32("?v"), let("?c", column_shape("?v"))})},

      // Two matrices that multiply the same input, as one: it is read once, and their columns are one long stream.
      {"merge-matmuls", "?a = matmul_nt(?x, ?v); ?b = matmul_nt(?x, ?w)",
       "?a = slice{?s}(matmul_nt(?x, concat{?c}(?v, ?w))); ?b = slice{?t}(matmul_nt(?x, concat{?c}(?v, ?w)))",
       all({may_join("?v", "?w"), negated(is_in_parts("?x", "?v", "?w")), let("?c", on_axis(0)), let("?s", first_columns("?x", "?v")), let("?t", second_columns("?x", "?v", "?w"))}), kLeafDepth + 1},
      // What merged matmuls leave of a bias each.
      {"merge-biases", "?a = add(slice{?p}(?m), ?v); ?b = add(slice{?q}(?m), ?w)",
       "?a = slice{?s}(add(slice{?u}(?m), concat{?c}(?v, ?w))); ?b = slice{?t}(add(slice{?u}(?m), concat{?c}(?v, ?w)))",
       all({is_constant("?v"), is_constant("?w"), has_rank("?v", 1), has_rank("?w", 1), negated(is_made_by("?w", "concat")), on_last_axis("?p", "?m"), let("?u", joined_slice("?p", "?q")),
            let("?c", on_axis(0)), let("?s", first_columns("?m", "?v")), let("?t", second_columns("?m", "?v", "?w"))})},
  };
}
// clang-format on

}  // namespace strata::rules
