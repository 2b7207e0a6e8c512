// SPDX-License-Identifier: Apache-2.0
#include "cost/lowering.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <map>

namespace strata::cost {
namespace {

using ir::Layout;
using ir::TensorType;
using Types = std::span<const TensorType>;

bool is_row_major(const TensorType& type) { return type.layout.is_row_major(); }

// Packed along `axis` alone, with padding.
bool is_packed_along(const Layout& layout, int axis) {
  return layout.packs.size() == 1 && layout.packs[0].axis == axis && !layout.packs[0].is_ragged;
}

// Numbers of bf16 packed along axis 0, and in pairs along axis 1: what a dot-product unit of two products reads, if
// they aren't encoded.
bool has_lanes_and_pairs(const TensorType& type) {
  const auto& packs = type.layout.packs;
  return packs.size() == 2 && packs[0].axis == 0 && packs[1].axis == 1 && packs[1].lanes == 2 &&
         ir::stored_dtype(type) == DType::kBF16;
}

bool is_packed_in_pairs(const TensorType& type) { return type.layout.encoding == nullptr && has_lanes_and_pairs(type); }

// Activations are rounded to bf16 only for weights that are.
bool multiplies_pairs(const TensorType& right) { return right.dtype == DType::kBF16 && has_lanes_and_pairs(right); }

// bf16 in pairs along axis 1 alone: what the same unit reads of a single row.
bool is_row_in_pairs(const TensorType& type) {
  return type.dtype == DType::kBF16 && is_packed_along(type.layout, 1) && type.layout.packs[0].lanes == 2;
}

// Right operands of a matmul; their lanes are those of a vector type, so a power of two.
bool is_panels(const TensorType& type) {
  const bool is_packed = type.rank() == 2 && (is_packed_along(type.layout, 0) || has_lanes_and_pairs(type));
  return is_packed && std::has_single_bit(static_cast<std::uint64_t>(type.layout.packs[0].lanes));
}

// Activations in row tiles, or rounded to pairs.
bool is_row_tiles(const TensorType& from, const TensorType& to) {
  return from.rank() == 2 && from.dtype == DType::kF32 &&
         ((to.dtype == DType::kF32 && is_packed_along(to.layout, 0)) || is_packed_in_pairs(to) || is_row_in_pairs(to));
}

Lowering pack(const TensorType& from, const TensorType& to) {
  if (from.dtype == to.dtype && ir::is_row_major_in_memory(to)) return Lowering::kView;
  return is_row_tiles(from, to) ? Lowering::kKernel : Lowering::kNone;
}

// Whether the result's elements are some of the first operand's, a run of its last axis staying a run.
bool is_part(const ir::LoopNest& nest, const TensorType& operand) {
  const ir::Stage& stage = nest.result();
  if (nest.stages.size() != 1 || stage.combiner != ir::Combiner::kNone || stage.target.empty()) return false;
  if (stage.body.kind != ir::ScalarExpr::Kind::kOperand || stage.body.number != 0 || operand.rank() == 0) return false;
  const ir::AffineIndex& last = stage.body.index.back();
  return last.coefficients[static_cast<std::size_t>(stage.target.back())] == 1 &&
         std::ranges::all_of(stage.body.index, [](const ir::AffineIndex& index) { return index.constant >= 0; }) &&
         std::ranges::all_of(stage.body.index, [](const ir::AffineIndex& index) {
           return std::ranges::all_of(index.coefficients, [](std::int64_t c) { return c >= 0; });
         });
}

// Packed along `axis`, and in pairs along `inner`, for a dot-product unit; neither has padding.
bool is_cache_in_pairs(const TensorType& type, int axis, int inner) {
  const auto& packs = type.layout.packs;
  return type.rank() == 3 && type.dtype == DType::kBF16 && packs.size() == 2 && packs[0].axis == axis &&
         packs[1].axis == inner && packs[1].lanes == 2 && type.shape[axis].multiple() % packs[0].lanes == 0 &&
         type.shape[inner].multiple() % 2 == 0 && std::has_single_bit(static_cast<std::uint64_t>(packs[0].lanes));
}

// The kernels take whole groups of lanes along the context.
bool is_packed_keys(const TensorType& type) {
  const bool is_lanes =
      type.rank() == 3 && is_packed_along(type.layout, 1) && type.shape[1].multiple() % type.layout.packs[0].lanes == 0;
  return is_lanes || is_cache_in_pairs(type, 1, 2);
}

bool is_packed_values(const TensorType& type) { return is_cache_in_pairs(type, 2, 1); }

bool is_cache(const TensorType& type) { return is_row_major(type) || is_packed_keys(type) || is_packed_values(type); }

// Both products of the attention have the same lanes.
bool are_attended(const TensorType& keys, const TensorType& values) {
  if (is_row_major(values)) return is_row_major(keys) || is_packed_keys(keys);
  return is_packed_keys(keys) && is_packed_values(values) && keys.layout.packs[0].lanes == values.layout.packs[0].lanes;
}

// Vectors have a power of two of lanes; the rows of a register tile need not be one.
bool is_in_vector_lanes(const TensorType& type) {
  return std::ranges::all_of(type.layout.packs, [](const ir::Pack& pack) {
    return std::has_single_bit(static_cast<std::uint64_t>(pack.lanes));
  });
}

bool all_row_major(Types operands) { return std::ranges::all_of(operands, is_row_major); }

// Hand-written kernels, and the layouts that they take.
const std::map<std::string, std::function<bool(Types)>>& kernels() {
  static const std::map<std::string, std::function<bool(Types)>> kKernels = {
      {"gather", [](Types t) { return (is_row_major(t[0]) || is_panels(t[0])) && is_row_major(t[1]); }},
      {"cache_append", [](Types t) { return is_cache(t[0]) && all_row_major(t.subspan(1)); }},
      {"attention", [](Types t) { return is_row_major(t[0]) && are_attended(t[1], t[2]) && is_row_major(t[3]); }},
      {"concat", all_row_major},
  };
  return kKernels;
}

}  // namespace

Lowering matmul_lowering(const TensorType& left, const TensorType& right) {
  if (!is_panels(right) || left.rank() != 2) return Lowering::kNone;
  const bool is_row_of_pairs = is_row_in_pairs(left) && multiplies_pairs(right);
  if (is_row_of_pairs || (is_row_major(left) && left.dtype == DType::kF32)) {
    return left.shape[0].max() == 1 ? Lowering::kMatmulRow : Lowering::kNone;
  }
  const bool converts = left.dtype == DType::kF32 && is_packed_along(left.layout, 0);
  const bool is_dot = is_packed_in_pairs(left) && multiplies_pairs(right);
  return converts || is_dot ? Lowering::kMatmulTile : Lowering::kNone;
}

Lowering lowering(const ir::Op& op, Types operands, const ir::Attributes& attributes, const TensorType& result) {
  if (op.name() == "pack") return pack(operands[0], result);
  if (op.name() == "unpack") return ir::is_row_major_in_memory(operands[0]) ? Lowering::kView : Lowering::kNone;
  if (op.aliased_operand() && !op.writes_alias()) return Lowering::kView;
  const bool in_memory_order =
      std::ranges::all_of(operands, ir::is_row_major_in_memory) && ir::is_row_major_in_memory(result);
  if (const auto nest = op.loops(operands, attributes); nest && in_memory_order) {
    const bool is_view = operands[0].dtype == result.dtype && is_part(*nest, operands[0]);
    if (is_view) return Lowering::kView;
    return std::ranges::all_of(operands, is_in_vector_lanes) ? Lowering::kLoops : Lowering::kNone;
  }
  if (op.name() == "matmul_nt") return matmul_lowering(operands[0], operands[1]);
  const auto kernel = kernels().find(op.name());
  return kernel != kernels().end() && kernel->second(operands) ? Lowering::kKernel : Lowering::kNone;
}

std::int64_t loop_lanes(Types operands) {
  std::int64_t lanes = 1;
  for (const TensorType& type : operands) {
    if (!type.layout.packs.empty()) lanes = std::max(lanes, type.layout.packs.back().lanes);
  }
  return lanes;
}

}  // namespace strata::cost
