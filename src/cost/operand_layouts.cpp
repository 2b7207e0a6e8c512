// SPDX-License-Identifier: Apache-2.0
#include "cost/operand_layouts.h"

#include <algorithm>
#include <bit>

namespace strata::cost {
namespace {

using ir::Layout;
using ir::TensorType;

bool is_power_of_two(std::int64_t lanes) { return std::has_single_bit(static_cast<std::uint64_t>(lanes)); }

// A cache packed along `axis`, and in pairs along `inner`, for a dot-product unit; neither has padding.
bool is_cache_in_pairs(const TensorType& type, int axis, int inner) {
  return type.rank() == 3 && type.dtype == DType::kBF16 && has_lanes_and_pairs(type, axis, inner) &&
         type.shape[axis].multiple() % type.layout.packs[0].lanes == 0 && type.shape[inner].multiple() % 2 == 0 &&
         is_power_of_two(type.layout.packs[0].lanes);
}

}  // namespace

bool is_packed_along(const Layout& layout, int axis) {
  return layout.packs.size() == 1 && layout.packs[0].axis == axis && !layout.packs[0].is_ragged;
}

int dot_products(DType dtype) { return dtype == DType::kBF16 ? 2 : dtype == DType::kI8 ? 4 : 1; }

bool has_lanes_and_groups(const TensorType& type, int axis, int inner) {
  const auto& packs = type.layout.packs;
  return packs.size() == 2 && packs[0].axis == axis && packs[1].axis == inner &&
         packs[1].lanes == dot_products(ir::stored_dtype(type));
}

bool has_lanes_and_pairs(const TensorType& type, int axis, int inner) {
  return has_lanes_and_groups(type, axis, inner) && ir::stored_dtype(type) == DType::kBF16;
}

bool is_packed_in_pairs(const TensorType& type, int axis, int inner) {
  return type.layout.encoding == nullptr && has_lanes_and_pairs(type, axis, inner);
}

bool is_row_in_pairs(const TensorType& type, int inner) {
  return type.dtype == DType::kBF16 && is_packed_along(type.layout, inner) && type.layout.packs[0].lanes == 2;
}

bool is_panels(const TensorType& type) {
  const bool is_packed = type.rank() == 2 && (is_packed_along(type.layout, 0) || has_lanes_and_groups(type, 0, 1));
  return is_packed && is_power_of_two(type.layout.packs[0].lanes);
}

bool is_row_tiles(const TensorType& type) {
  const bool is_tile = type.dtype == DType::kF32 && is_packed_along(type.layout, 0);
  const bool is_grouped = type.layout.encoding == nullptr && has_lanes_and_groups(type, 0, 1);
  return type.rank() == 2 && (is_tile || is_grouped);
}

bool is_packed_keys(const TensorType& type) {
  const bool is_lanes =
      type.rank() == 3 && is_packed_along(type.layout, 1) && type.shape[1].multiple() % type.layout.packs[0].lanes == 0;
  return is_lanes || is_cache_in_pairs(type, 1, 2);
}

bool is_packed_values(const TensorType& type) { return is_cache_in_pairs(type, 2, 1); }

bool is_in_vector_lanes(const TensorType& type) {
  return std::ranges::all_of(type.layout.packs, [](const ir::Pack& pack) { return is_power_of_two(pack.lanes); });
}

}  // namespace strata::cost
