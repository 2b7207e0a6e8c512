// SPDX-License-Identifier: Apache-2.0
// All leaves, and what they take; what they cost is in leaf_cost.cpp.
#include <algorithm>
#include <numeric>

#include "cost/leaf.h"
#include "cost/leaf_cost.h"
#include "cost/leaf_scratch.h"
#include "cost/loops_cost.h"
#include "cost/numbered_product.h"
#include "cost/operand_layouts.h"
#include "encoding/encoding.h"
#include "ir/by_number.h"

namespace strata::cost {
namespace {

using ir::IteratorClass;
using ir::TensorType;

bool is_op(const Signature& s, std::string_view name) { return s.op.name() == name; }
bool is_row_major(const TensorType& type) { return type.layout.is_row_major(); }
bool all_row_major(std::span<const TensorType> types) { return std::ranges::all_of(types, is_row_major); }

// Whether the result's elements are some of the first operand's, a run of its last axis staying a run.
bool is_part(const ir::LoopNest& nest, const TensorType& operand) {
  const ir::Stage& stage = nest.result();
  if (nest.stages.size() != 1 || stage.combiner != ir::Combiner::kNone || stage.target.empty()) return false;
  if (stage.body.kind != ir::ScalarExpr::Kind::kOperand || stage.body.number != 0 || operand.rank() == 0) return false;
  const ir::IndexMap& last = stage.body.index.back();
  return std::ranges::all_of(stage.body.index, ir::is_affine) &&
         last.coefficients[static_cast<std::size_t>(stage.target.back())] == 1 &&
         std::ranges::all_of(stage.body.index, [](const ir::IndexMap& index) { return index.constant >= 0; }) &&
         std::ranges::all_of(stage.body.index, [](const ir::IndexMap& index) {
           return std::ranges::all_of(index.coefficients, [](std::int64_t c) { return c >= 0; });
         });
}

bool takes_view(const Signature& s) {
  if (is_op(s, "pack")) return s.operands[0].dtype == s.result.dtype && ir::is_row_major_in_memory(s.result);
  if (is_op(s, "unpack")) return ir::is_row_major_in_memory(s.operands[0]);
  if (s.op.aliased_operand() && !s.op.writes_alias()) return true;
  return s.has_plain_loops && s.is_in_memory_order && s.operands[0].dtype == s.result.dtype &&
         is_part(*s.nest, s.operands[0]);
}

bool takes_own_loops(const Signature& s) {
  return s.has_plain_loops && s.is_in_memory_order && std::ranges::all_of(s.operands, is_in_vector_lanes);
}

// What blocks that share a scale are multiples of: kernels take the codes in words, two at a time, or the groups of an
// encoding.
std::int64_t block_unit(const TensorType& codes) {
  return codes.layout.encoding == nullptr ? 8 : codes.layout.encoding->panels.depth;
}

// A product with weights in panels: the right operand has n outside and k inside, and so has the left one m and k.
struct PanelProduct {
  const TensorType* rows = nullptr;
  const TensorType* panels = nullptr;

  explicit PanelProduct(const Signature& s, bool has_scales = false) {
    if (!s.contraction || s.contraction->factors.empty() == has_scales) return;
    const auto& c = *s.contraction;
    const auto m = c.only(IteratorClass::kM);
    const auto n = c.only(IteratorClass::kN);
    const auto k = c.only(IteratorClass::kK);
    if (!m || !n || !k) return;
    const bool fits = c.left_axes == std::vector{*m, *k} && c.right_axes == std::vector{*n, *k};
    const TensorType& right = s.operands[static_cast<std::size_t>(c.right)];
    if (!fits || !is_panels(right)) return;
    rows = &s.operands[static_cast<std::size_t>(c.left)];
    panels = &right;
  }

  bool is_encoded() const { return panels->layout.encoding != nullptr; }
  std::int64_t group() const { return panels->layout.group(); }
  bool are_pairs() const { return group() == 2; }

  // Activations are rounded to bf16 only for weights that are.
  bool multiplies_pairs() const { return panels->dtype == DType::kBF16 && are_pairs(); }

  bool is_one_row() const {
    if (rows == nullptr || rows->shape[0].max() != 1) return false;
    const bool is_plain = is_row_major(*rows) && rows->dtype == DType::kF32 && group() <= 2;
    return is_plain || (is_row_in_pairs(*rows, 1) && multiplies_pairs());
  }
  bool are_rows_in_f32() const {
    return rows != nullptr && rows->dtype == DType::kF32 && is_packed_along(rows->layout, 0);
  }
  bool are_rows_in_quads() const {
    const bool are_bytes = rows != nullptr && rows->dtype == DType::kI8 && panels->dtype == DType::kI8;
    return are_bytes && has_lanes_and_groups(*rows, 0, 1) && group() == 4 && !is_encoded();
  }
  bool are_rows_in_pairs() const { return rows != nullptr && is_packed_in_pairs(*rows, 0, 1) && multiplies_pairs(); }
};

bool takes_stream(const Signature& s) {
  const PanelProduct product(s);
  return product.is_one_row() && !product.is_encoded();
}
bool takes_encoded_stream(const Signature& s) {
  const PanelProduct product(s);
  return product.is_one_row() && product.is_encoded();
}
bool takes_encoded_tile(const Signature& s) {
  const PanelProduct product(s);
  return (product.are_rows_in_f32() || product.are_rows_in_pairs()) && product.is_encoded();
}
// Of the type that the rows have.
bool takes_tile(const Signature& s) {
  const PanelProduct product(s);
  if (product.rows == nullptr || product.is_encoded()) return false;
  return product.are_rows_in_pairs() || (product.are_rows_in_f32() && product.panels->dtype == DType::kF32);
}
bool takes_tile_quads(const Signature& s) { return PanelProduct(s).are_rows_in_quads(); }
bool takes_widened_lanes(const Signature& s) {
  const PanelProduct product(s);
  return product.are_rows_in_f32() && !product.is_encoded() && product.group() == 1;
}
bool takes_widened_pairs(const Signature& s) {
  const PanelProduct product(s);
  return product.are_rows_in_f32() && !product.is_encoded() && product.are_pairs();
}

// The right operand's elements are bytes in blocks that share a scale, in panels of the same rows.
bool are_scaled_panels(const Signature& s) {
  const TensorType* const right = s.find("right");
  const TensorType* const scales = s.find("scales");
  const TensorType* const outer = s.find("outer");
  const auto are_beside = [&](const TensorType& factor) {
    return is_packed_along(factor.layout, 0) && factor.layout.packs[0].lanes == right->layout.packs[0].lanes;
  };
  if (scales == nullptr || right == nullptr || right->dtype != DType::kI8 || right->layout.group() != 4) return false;
  const auto& factors = s.contraction->factors;
  const std::int64_t least = factors.front().block, most = factors.back().block;
  if (least % block_unit(*right) != 0 || most % least != 0) return false;
  // A factor that has no name of its own would be left out.
  const auto named = 1 + (outer != nullptr ? 1 : 0) + (s.find("row_scales") != nullptr ? 1 : 0);
  if (std::ssize(factors) != named) return false;
  if (right->layout.packs[0].is_ragged || !are_beside(*scales)) return false;
  if (outer == nullptr) return is_floating(scales->dtype);
  return scales->dtype == DType::kI8 && is_floating(outer->dtype) && are_beside(*outer);
}
// Rows in codes, of which the same blocks have scales.
bool are_scaled_rows(const Signature& s) {
  const TensorType* const scales = s.find("row_scales");
  if (scales == nullptr || scales->dtype != DType::kF32) return false;
  const auto& factors = s.contraction->factors;
  const auto of_rows = std::ranges::find(factors, true, &ir::BlockFactor::is_left);
  return of_rows->block == std::ranges::find(factors, false, &ir::BlockFactor::is_left)->block;
}
bool takes_scaled_quads_stream(const Signature& s) {
  const PanelProduct product(s, true);
  return product.rows != nullptr && product.rows->dtype == DType::kI8 && product.rows->shape[0].max() == 1 &&
         is_row_major(*product.rows) && are_scaled_rows(s) && is_row_major(*s.find("row_scales")) &&
         are_scaled_panels(s);
}
bool takes_scaled_quads_tile(const Signature& s) {
  const PanelProduct product(s, true);
  if (product.rows == nullptr || product.rows->dtype != DType::kI8 || !has_lanes_and_groups(*product.rows, 0, 1))
    return false;
  if (!are_scaled_rows(s) || !are_scaled_panels(s)) return false;
  const ir::Layout& scales = s.find("row_scales")->layout;
  return is_packed_along(scales, 0) && scales.packs[0].lanes == product.rows->layout.packs[0].lanes;
}
bool takes_scaled_stream(const Signature& s) {
  const PanelProduct product(s, true);
  return product.rows != nullptr && are_scaled_panels(s) && s.find("row_scales") == nullptr &&
         product.rows->shape[0].max() == 1 && is_row_major(*product.rows) && product.rows->dtype == DType::kF32;
}
bool takes_scaled_tile(const Signature& s) {
  const PanelProduct product(s, true);
  return product.are_rows_in_f32() && are_scaled_panels(s) && s.find("row_scales") == nullptr;
}

bool is_packing_rows(const Signature& s, DType dtype) {
  return is_op(s, "pack") && s.operands[0].rank() == 2 && s.operands[0].dtype == dtype;
}
bool takes_pack_rows(const Signature& s) { return is_packing_rows(s, DType::kF32) && is_row_tiles(s.result); }
bool takes_pack_pairs(const Signature& s) {
  return is_packing_rows(s, DType::kBF16) && (is_packed_in_pairs(s.result, 0, 1) || is_row_in_pairs(s.result, 1));
}

bool takes_pack_quads(const Signature& s) {
  const bool are_bytes = s.operands[0].dtype == DType::kI8 && s.result.dtype == DType::kI8;
  return is_op(s, "pack") && are_bytes && is_row_major(s.operands[0]) && is_row_tiles(s.result);
}

// Of a look-up, by rows of a table of numbers.
bool looks_up(const Signature& s, bool (*takes_table)(const TensorType&)) {
  const TensorType* const table = s.find("table");
  return table != nullptr && is_row_major(*s.find("numbers")) && takes_table(*table);
}
bool takes_gather_rows(const Signature& s) { return looks_up(s, is_row_major); }
bool takes_gather_panels(const Signature& s) {
  return looks_up(s, [](const TensorType& t) { return is_panels(t) && t.layout.encoding == nullptr; });
}
bool takes_gather_encoded(const Signature& s) {
  return looks_up(s, [](const TensorType& t) { return is_panels(t) && t.layout.encoding != nullptr; });
}

bool takes_largest(const Signature& s) {
  return is_op(s, "largest_k") && all_row_major(s.operands) && s.operands[0].dtype == DType::kF32 &&
         s.result.rank() == 2;
}
bool takes_element_lookup(const Signature& s) {
  const TensorType* const row = s.find("row");
  return row != nullptr && row->dtype == DType::kF32 && all_row_major(s.operands) &&
         s.find("numbers")->dtype == DType::kI32;
}

bool appends(const Signature& s, bool (*takes_target)(const TensorType&)) {
  const TensorType* const target = s.find("target");
  return target != nullptr && is_row_major(*s.find("source")) && is_row_major(*s.find("numbers")) &&
         takes_target(*target);
}
bool takes_append_keys(const Signature& s) { return appends(s, is_packed_keys); }
bool takes_append_values(const Signature& s) {
  return appends(s, [](const TensorType& t) { return is_row_major(t) || is_packed_values(t); });
}

// Both products of the attention have the same lanes, of which a page has whole groups; all but the caches lies in
// order.
bool takes_attention(const Signature& s) {
  if (!s.attention) return false;
  const TensorType& keys = *s.find("keys");
  const TensorType& values = *s.find("values");
  for (const TensorType& type : s.operands) {
    if (&type != &keys && &type != &values && !is_row_major(type)) return false;
  }
  const auto& pages = s.attention->pages;
  if (pages && pages->size % std::lcm(keys.layout.lanes(1), values.layout.group()) != 0) return false;
  if (!(keys.shape[2] == values.shape[2]) || s.find("query")->dtype != DType::kF32 || keys.dtype != values.dtype)
    return false;
  if (is_row_major(values)) return is_row_major(keys) || is_packed_keys(keys);
  return is_packed_keys(keys) && is_packed_values(values) && keys.layout.packs[0].lanes == values.layout.packs[0].lanes;
}

template <const char* kOp>
bool takes_named(const Signature& s) {
  return is_op(s, kOp) && all_row_major(s.operands);
}
constexpr char kAllReduce[] = "all_reduce", kReduceScatter[] = "reduce_scatter", kAllGather[] = "all_gather",
               kAllToAll[] = "all_to_all", kRankSlice[] = "rank_slice", kRankGather[] = "rank_gather";

bool takes_concat(const Signature& s) { return s.find("first") != nullptr && all_row_major(s.operands); }

// Rows of activations, shared out by whole row tiles.
constexpr LeafLoop kRowLoop = {"m", "{0.dim.0}", true};

// Of a tile of an attention's queries.
constexpr LeafBuffer kQueries = {"queries", queries_scratch};
constexpr LeafBuffer kScores = {"scores", scores_scratch};
constexpr LeafBuffer kRunning = {"running", running_scratch, true};

// Rows that each meet a matrix of several, as leaves of one matrix compute them.
bool takes_numbered_rows(const Signature& s) {
  if (ir::by_number(s.op) == nullptr || s.operands.back().shape[0].max() > kFewTokens) return false;
  const auto one = product_of_one(s.op, s.operands, s.attributes, 1, 0);
  if (!one) return false;
  // A panel of two matrices would be summed in another order where a thread's columns end in it.
  const auto panels =
      std::ranges::find_if(one->types, [](const TensorType& type) { return !type.layout.packs.empty(); });
  return panels != one->types.end() && one->result.shape.back().factor() % panels->layout.packs[0].lanes == 0;
}
bool takes_numbered_blocks(const Signature& s) {
  constexpr std::int64_t kAnyTile = 4;
  return ir::by_number(s.op) != nullptr &&
         product_of_one(s.op, s.operands, s.attributes, kAnyTile, kAnyTile).has_value();
}

using Domain = Leaf::Domain;

// The first that takes an op makes it. Names in braces are explained in codegen/leaf_code.h.
const std::vector<Leaf>& table() {
  static const std::vector<Leaf> kTable = {
      {.name = "view", .domain = Domain::kView, .takes = takes_view},
      {.name = "loops", .domain = Domain::kOwn, .takes = takes_own_loops, .count = count_loops},

      // One row: the panels are streamed once.
      {.name = "stream",
       .domain = Domain::kContraction,
       .takes = takes_stream,
       .count = count_stream,
       .is_streamed = true,
       .strided = "left",
       .code = "tensor::gemv_panels<{right.lanes}, {stream}, {right.layout}>({left}, {left.stride}, {right}, {k}, {n}, "
               "{out}, {n}, {n.panels});"},
      {.name = "stream-encoded",
       .domain = Domain::kContraction,
       .takes = takes_encoded_stream,
       .count = count_stream,
       .is_streamed = true,
       .strided = "left",
       .takes_copies = false,
       .code = "tensor::gemv_encoded<{right.lanes}, {stream}>({left}, {right}, {k}, {n}, {out}, {n.panels});"},

      // Many rows, in register tiles.
      {.name = "tile",
       .domain = Domain::kContraction,
       .takes = takes_tile,
       .count = count_tile,
       .takes_blocks = true,
       .is_streamed = true,
       .code = "tensor::gemm_block<{right.lanes}, {rows}, {panels}, {right.layout}, {stream}>({left}, {right}, {{out}, "
               "{out.row}, {m}, {n}}, {k}, {m.range}, {k.range}, {n.panels});"},
      {.name = "tile-quads",
       .domain = Domain::kContraction,
       .takes = takes_tile_quads,
       .count = count_tile,
       .takes_blocks = true,
       .is_streamed = true,
       .header = "tensor/quads.h",
       .code = "tensor::gemm_block<{right.lanes}, {rows}, {panels}, {right.layout}, {stream}>({left}, {right}, {{out}, "
               "{out.row}, {m}, {n}}, {k}, {m.range}, {k.range}, {n.panels});"},
      {.name = "tile-widened",
       .domain = Domain::kContraction,
       .takes = takes_widened_lanes,
       .count = count_tile,
       .takes_blocks = true,
       // With few row tiles widening the panels first costs more than widening them in every tile.
       .few = "tile",
       .few_tiles = 4,
       .buffers = {{"widened", widened_scratch}},
       .code = "tensor::gemm_block_widened<{right.lanes}, {rows}, {panels}, {right.layout}>({left}, {right}, {{out}, "
               "{out.row}, {m}, {n}}, {k}, {m.range}, {k.range}, {n.panels}, {with.0});"},
      {.name = "tile-widened-pairs",
       .domain = Domain::kContraction,
       .takes = takes_widened_pairs,
       .count = count_tile,
       .takes_blocks = true,
       .buffers = {{"widened", widened_scratch}},
       .code = "tensor::gemm_block_widened<{right.lanes}, {rows}, {panels}, {right.layout}>({left}, {right}, {{out}, "
               "{out.row}, {m}, {n}}, {k}, {m.range}, {k.range}, {n.panels}, {with.0});"},
      {.name = "tile-encoded",
       .domain = Domain::kContraction,
       .takes = takes_encoded_tile,
       .count = count_tile,
       .takes_blocks = true,
       // A single tile of rows reads the panels once, and decodes them in registers.
       .few = "stream-tile-encoded",
       .few_tiles = 1,
       .buffers = {{"decoded", decoded_scratch}},
       .takes_copies = false,
       .code = "tensor::gemm_block_encoded<{right.lanes}, {rows}, {panels}>({left}, {right}, {{out}, "
               "{out.row}, {m}, {n}}, {k}, {m.range}, {k.range}, {n.panels}, {with.0});"},
      {.name = "stream-tile-encoded",
       .domain = Domain::kContraction,
       .is_streamed = true,
       .takes_copies = false,
       .code = "tensor::gemm_few_encoded<{right.lanes}, {rows}, {stream}>({left}, {right}, {{out}, "
               "{out.row}, {m}, {n}}, {k}, {n.panels});"},

      // Weights in blocks that share a scale, which meets the sum of its block, or is multiplied first.
      {.name = "stream-scaled",
       .domain = Domain::kContraction,
       .takes = takes_scaled_stream,
       .count = count_stream,
       .is_streamed = true,
       .takes_copies = false,
       .header = "tensor/scaled.h",
       .code =
           "tensor::gemv_scaled<{right.lanes}, {block}, {stream}>({left}, {right}, {block.scales}, {k}, {n}, {out}, "
           "{n.panels});"},
      {.name = "tile-scaled",
       .domain = Domain::kContraction,
       .takes = takes_scaled_tile,
       .count = count_tile,
       .takes_blocks = true,
       .buffers = {{"multiplied", multiplied_scratch}},
       .takes_copies = false,
       .header = "tensor/scaled.h",
       .code = "tensor::gemm_block_scaled<{right.lanes}, {rows}, {panels}, {block}>({left}, {right}, {block.scales}, "
               "{{out}, {out.row}, {m}, {n}}, {k}, {m.range}, {k.range}, {n.panels}, {with.0});"},

      // The same with rows in codes.
      {.name = "stream-scaled-quads",
       .domain = Domain::kContraction,
       .takes = takes_scaled_quads_stream,
       .count = count_stream,
       .is_streamed = true,
       .buffers = {{"starts", starts_scratch}},
       .takes_copies = false,
       .header = "tensor/scaled_quads.h",
       .code = "tensor::gemv_scaled_quads<{right.lanes}, {block}, {stream}>({left}, {row_scales}, {right}, "
               "{block.scales}, {k}, {n}, {out}, {n.panels}, {with.0});"},
      {.name = "tile-scaled-quads",
       .domain = Domain::kContraction,
       .takes = takes_scaled_quads_tile,
       .count = count_tile,
       .takes_blocks = true,
       // A single tile of rows reads the codes once, and takes them out of their words in registers.
       .few = "stream-tile-scaled-quads",
       .few_tiles = 1,
       .buffers = {{"sums", quads_scratch}},
       .takes_copies = false,
       .header = "tensor/scaled_quads.h",
       .code =
           "tensor::gemm_block_scaled_quads<{right.lanes}, {rows}, {panels}, {block}>({left}, {row_scales}, {right}, "
           "{block.scales}, {{out}, {out.row}, {m}, {n}}, {k}, {m.range}, {k.range}, {n.panels}, {with.0});"},
      {.name = "stream-tile-scaled-quads",
       .domain = Domain::kContraction,
       .is_streamed = true,
       .buffers = {{"starts", starts_scratch}},
       .takes_copies = false,
       .header = "tensor/scaled_quads.h",
       .code =
           "tensor::gemm_few_scaled_quads<{right.lanes}, {rows}, {panels}, {block}, {stream}>({left}, {row_scales}, "
           "{right}, {block.scales}, {{out}, {out.row}, {m}, {n}}, {k}, {n.panels}, {with.0});"},

      // Rows by the matrices that their numbers say: each as it is, or those of each matrix together, in row tiles. The
      // leaf of one matrix stands in a loop over them (schedule/numbered_tree.h).
      {.name = "numbered-rows",
       .domain = Domain::kNumbered,
       .takes = takes_numbered_rows,
       .takes_copies = false,
       .header = "tensor/by_number.h"},
      {.name = "numbered-blocks",
       .domain = Domain::kNumbered,
       .takes = takes_numbered_blocks,
       .takes_blocks = true,
       .takes_copies = false,
       .header = "tensor/by_number.h"},

      // Activations into row tiles, of elements or of pairs.
      {.name = "pack-rows",
       .domain = Domain::kLoop,
       .takes = takes_pack_rows,
       .count = count_pack,
       .loop = kRowLoop,
       .strided = "0",
       .code = "tensor::pack_rows<{lanes}, {rows}>({0.rows}, {0.stride}, {count}, {columns.count}, {0.dim.1}, "
               "{out} + {begin} * {0.dim.1} + {columns.begin} * {rows});"},
      {.name = "pack-pairs",
       .domain = Domain::kLoop,
       .takes = takes_pack_pairs,
       .count = count_pack,
       .loop = kRowLoop,
       .strided = "0",
       .code = "tensor::pack_rows_pairs<{lanes}, {rows}>({0.rows}, {0.stride}, {count}, {columns.count}, {0.dim.1}, "
               "{out} + {begin} * (tensor::div_up({0.dim.1}, 2) * 2) + {columns.begin} * {rows});"},

      {.name = "pack-quads",
       .domain = Domain::kLoop,
       .takes = takes_pack_quads,
       .count = count_pack,
       .loop = kRowLoop,
       .strided = "0",
       .header = "tensor/quads.h",
       .code = "tensor::pack_rows_quads<{rows}>({0.rows}, {0.stride}, {count}, {columns.count}, {0.dim.1}, "
               "{out} + {begin} * (tensor::div_up({0.dim.1}, 4) * 4) + {columns.begin} * {rows});"},

      {.name = "gather-rows",
       .domain = Domain::kLoop,
       .takes = takes_gather_rows,
       .count = count_gather,
       .loop = {"row", "{out.dim.0}"},
       .code = "tensor::gather_rows<{lanes}>({table}, {numbers} + {begin}, {count}, {table.dim.1}, "
               "{out} + {begin} * {table.dim.1}, {table.dim.1});"},
      {.name = "gather-panels",
       .domain = Domain::kLoop,
       .takes = takes_gather_panels,
       .count = count_gather,
       .loop = {"row", "{out.dim.0}"},
       .code = "tensor::gather_packed_rows<{table.lanes}, {table.layout}>({table}, {numbers} + {begin}, {count}, "
               "{table.dim.1}, {out} + {begin} * {table.dim.1}, {table.dim.1});"},
      {.name = "gather-encoded",
       .domain = Domain::kLoop,
       .takes = takes_gather_encoded,
       .count = count_gather,
       .loop = {"row", "{out.dim.0}"},
       .takes_copies = false,
       .code = "tensor::gather_encoded_rows<{table.lanes}>({table}, {numbers} + {begin}, {count}, {table.dim.1}, "
               "{out} + {begin} * {table.dim.1}, {table.dim.1});"},

      {.name = "largest",
       .domain = Domain::kLoop,
       .takes = takes_largest,
       .count = count_largest,
       .loop = {"row", "{out.dim.0}"},
       .takes_copies = false,
       .header = "tensor/by_number.h",
       .code = "tensor::largest({0} + {begin} * {0.dim.1}, {count}, {0.dim.1}, {out.dim.1}, {out} + {begin} * "
               "{out.dim.1});"},
      {.name = "take",
       .domain = Domain::kLoop,
       .takes = takes_element_lookup,
       .count = count_take,
       .loop = {"row", "{out.dim.0}"},
       .takes_copies = false,
       .header = "tensor/by_number.h",
       .code = "tensor::take({row} + {begin} * {row.dim.1}, {count}, {row.dim.1}, {numbers} + {begin} * {out.dim.1}, "
               "{out.dim.1}, {out} + {begin} * {out.dim.1});"},

      {.name = "append-keys",
       .domain = Domain::kLoop,
       .takes = takes_append_keys,
       .count = count_append,
       .loop = {"head", "{target.dim.0}"},
       .strided = "source",
       .code = "tensor::cache_append_k<{target.lanes}, {target.layout}>({source}, {source.stride}, {numbers}, "
               "{source.dim.0}, {target.dim.2}, {target.dim.1}, {out}, {begin}, {end});"},
      {.name = "append-values",
       .domain = Domain::kLoop,
       .takes = takes_append_values,
       .count = count_append,
       .loop = {"head", "{target.dim.0}"},
       .strided = "source",
       .code = "tensor::cache_append_v<{target.lanes}, {target.layout}>({source}, {source.stride}, {numbers}, "
               "{source.dim.0}, {target.dim.2}, {target.dim.1}, {out}, {begin}, {end});"},

      // A tile of queries that share keys and values, past blocks of these: the softmax runs along.
      {.name = "attention",
       .domain = Domain::kAttention,
       .takes = takes_attention,
       .count = count_attention,
       .strided = "query",
       .parts = {"attention-start", "attention-scores", "attention-softmax", "attention-values", "attention-finish"},
       .combine = "attention-combine"},
      {.name = "attention-start",
       .domain = Domain::kAttention,
       .buffers = {kQueries, kRunning},
       .code =
           "tensor::start_attention<{keys.own_lanes}, {keys.layout}>({query}, {query.stride}, {query.dim.2}, {tile}, "
           "{score.factor}, {with.0}, {with.1});"},
      {.name = "attention-scores",
       .domain = Domain::kAttention,
       .takes_blocks = true,
       .multiplies = "keys",
       .buffers = {kQueries, kScores},
       .code = "tensor::score_block<{keys.own_lanes}, {register_tile}, {keys.layout}, {key.most}>({with.0}, "
               "{tile}.rows(), {keys} + {keys.block}, {keys.dim.2}, {key.range}, {key.end}, "
               "{with.1});"},
      {.name = "attention-softmax",
       .domain = Domain::kAttention,
       .takes_blocks = true,
       .buffers = {kScores, kRunning},
       .code =
           "tensor::softmax_block<{keys.own_lanes}, {values.layout}, {key.most}>({tile}, {key.range}, {score.seen}, "
           "{score.map}, {with.0}, {with.1});"},
      {.name = "attention-values",
       .domain = Domain::kAttention,
       .takes_blocks = true,
       .multiplies = "values",
       .buffers = {kScores, kRunning},
       .code = "tensor::value_block<{keys.own_lanes}, {register_tile}, {values.layout}, {key.most}>({with.0}, "
               "{tile}.rows(), {values} + {values.block}, {values.dim.2}, {key.range}, "
               "{key.end}, {with.1});"},
      {.name = "attention-finish",
       .domain = Domain::kAttention,
       .buffers = {kRunning},
       .code = "tensor::finish_attention<{keys.own_lanes}>({tile}, {query.dim.1}, {query.dim.2}, {with.0}, {out});"},

      {.name = "attention-combine",
       .domain = Domain::kAttention,
       .buffers = {kRunning},
       .code = "tensor::combine_attention<{keys.own_lanes}>({tile}, {query.dim.1}, {query.dim.2}, {column.range}, "
               "{with.0}, {slot}, {parts}, {out});"},

      {.name = "concat",
       .domain = Domain::kOnce,
       .takes = takes_concat,
       .count = count_concat,
       .code = "tensor::concat({first}, {first.inner}, {second}, {second.inner}, {first.outer}, {out});"},

      // What the ranks of a mesh exchange, and their parts of what each has.
      {.name = "all-reduce",
       .domain = Domain::kOnce,
       .takes = takes_named<kAllReduce>,
       .count = count_all_reduce,
       .header = "tensor/group.h",
       .code = "tensor::all_reduce(team, {attribute.mesh}, {0}, {out}, {out.count}, {attribute.whole_bytes});"},
      {.name = "reduce-scatter",
       .domain = Domain::kOnce,
       .takes = takes_named<kReduceScatter>,
       .count = count_reduce_scatter,
       .header = "tensor/group.h",
       .code = "tensor::reduce_scatter(team, {attribute.mesh}, {0}, {out}, {out.outer}, {out.inner});"},
      {.name = "all-gather",
       .domain = Domain::kOnce,
       .takes = takes_named<kAllGather>,
       .count = count_all_gather,
       .header = "tensor/group.h",
       .code = "tensor::all_gather(team, {attribute.mesh}, {0}, {out}, {0.outer}, {0.inner});"},
      {.name = "all-to-all",
       .domain = Domain::kOnce,
       .takes = takes_named<kAllToAll>,
       .count = count_all_to_all,
       .header = "tensor/group.h",
       .code = "tensor::all_to_all(team, {attribute.mesh}, {0}, {out}, {0.outer}, {0.inner}, {out.outer.from}, "
               "{out.inner.from});"},
      {.name = "rank-slice",
       .domain = Domain::kOnce,
       .takes = takes_named<kRankSlice>,
       .count = count_rank_slice,
       .header = "tensor/group.h",
       .code = "tensor::rank_slice(team, {attribute.mesh}, {0}, {out}, {out.outer}, {out.inner});"},
      {.name = "rank-gather",
       .domain = Domain::kOnce,
       .takes = takes_named<kRankGather>,
       .count = count_rank_gather,
       .header = "tensor/rank_gather.h",
       .code = "tensor::rank_gather<{lanes}>(team, {attribute.mesh}, {0}, {0.dim.0}, {1}, {out.dim.0}, {out.dim.1}, "
               "{out});"},
  };
  return kTable;
}

}  // namespace

std::span<const Leaf> all_leaves() { return table(); }

}  // namespace strata::cost
