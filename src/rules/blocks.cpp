// SPDX-License-Identifier: Apache-2.0
// Matrices in blocks that share a scale, and perhaps a shift: both meet the sums of a block's products, and what joins
// matrices, or takes rows of them, joins and takes their parts.
#include "rules/algebra.h"
#include "rules/conditions.h"

namespace strata::rules {
namespace {

Condition joins_rows(std::string concat) {
  return [concat](Matched& m) { return m.integer(concat, "axis") == 0; };
}

}  // namespace

// clang-format off
Table blocks_table() {
  return {
      {"scale-behind-matmul_nt", "matmul_nt(?x, scale_blocks(?q, ?s))", "scaled_matmul_nt(?x, ?q, ?s)", has_rank("?q", 2)},
      {"scale-unshifted-behind-matmul_nt", "matmul_nt(?x, scale_unshifted(?q, ?s))", "scaled_matmul_nt(?x, ?q, ?s)", has_rank("?q", 2)},
      {"shift-behind-matmul_nt", "matmul_nt(?x, affine_blocks(?q, ?s, ?m))", "add(matmul_nt(?x, scale_unshifted(?q, ?s)), matmul_nt(reduce_sum(reshape{?b}(?x)), ?m))", all({is_f32("?x"), let("?b", in_blocks_of("?x", "?m"))})},
      {"scale-behind-matmul_nt_by_number", "matmul_nt_by_number{?e}(?x, scale_blocks(?q, ?s), ?i)", "scaled_matmul_nt_by_number{?e}(?x, ?q, ?s, ?i)", {}},
      {"scale-unshifted-behind-matmul_nt_by_number", "matmul_nt_by_number{?e}(?x, scale_unshifted(?q, ?s), ?i)", "scaled_matmul_nt_by_number{?e}(?x, ?q, ?s, ?i)", {}},
      {"shift-behind-matmul_nt_by_number", "matmul_nt_by_number{?e}(?x, affine_blocks(?q, ?s, ?m), ?i)", "add(matmul_nt_by_number{?e}(?x, scale_unshifted(?q, ?s), ?i), matmul_nt_by_number{?e}(reduce_sum(reshape{?b}(?x)), ?m, ?i))", all({is_f32("?x"), let("?b", in_blocks_of("?x", "?m"))})},
      {"scale-of-scales-by_number", "scaled_matmul_nt_by_number{?e}(?x, ?q, scale_blocks(?s, ?t), ?i)", "nested_matmul_nt_by_number{?e}(?x, ?q, ?s, ?t, ?i)", {}},
      {"scale-of-rows-by_number", "scaled_matmul_nt_by_number{?e}(scale_blocks(quantise(?x, ?t), ?t), ?q, ?s, ?i)", "scaled_rows_matmul_nt_by_number{?e}(quantise(?x, ?t), ?t, ?q, ?s, ?i)", {}},
      {"scale-of-rows-nested-by_number", "nested_matmul_nt_by_number{?e}(scale_blocks(quantise(?x, ?t), ?t), ?q, ?s, ?u, ?i)", "nested_rows_matmul_nt_by_number{?e}(quantise(?x, ?t), ?t, ?q, ?s, ?u, ?i)", {}},

      {"scale-of-scales", "scaled_matmul_nt(?x, ?q, scale_blocks(?s, ?t))", "nested_matmul_nt(?x, ?q, ?s, ?t)", {}},
      {"scale-of-rows", "scaled_matmul_nt(scale_blocks(quantise(?x, ?t), ?t), ?q, ?s)", "scaled_rows_matmul_nt(quantise(?x, ?t), ?t, ?q, ?s)", {}},
      {"scale-of-rows-nested", "nested_matmul_nt(scale_blocks(quantise(?x, ?t), ?t), ?q, ?s, ?u)", "nested_rows_matmul_nt(quantise(?x, ?t), ?t, ?q, ?s, ?u)", {}},

      {"concat-of-scale_blocks", "concat{?c}(scale_blocks(?q, ?s), scale_blocks(?r, ?t))", "scale_blocks(concat{?c}(?q, ?r), concat{?c}(?s, ?t))", all({joins_rows("?c"), has_rank("?q", 2), has_rank("?s", 2), has_rank("?t", 2)})},
      {"gather-of-scale_blocks", "gather(scale_blocks(?q, ?s), ?i)", "scale_blocks(gather(?q, ?i), gather(?s, ?i))", all({has_rank("?q", 2), has_rank("?s", 2)})},
      {"gather-of-affine_blocks", "gather(affine_blocks(?q, ?s, ?m), ?i)", "affine_blocks(gather(?q, ?i), gather(?s, ?i), gather(?m, ?i))", all({has_rank("?q", 2), has_rank("?s", 2), has_rank("?m", 2)})},
  };
}
// clang-format on

}  // namespace strata::rules
