// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ir/type.h"

namespace strata::cost {

// Layouts that the tensor library's kernels read and write.

// Packed along `axis` alone, with padding.
bool is_packed_along(const ir::Layout& layout, int axis);

// How many neighbours along k a dot-product unit for this type sums, if the tensor library has code for it; 1: none.
int dot_products(DType dtype);

// Packed along `axis`, and in groups of dot_products() along `inner`: what a dot-product unit reads, if it isn't
// encoded.
bool has_lanes_and_groups(const ir::TensorType& type, int axis, int inner);

// Numbers of bf16 in pairs, perhaps encoded.
bool has_lanes_and_pairs(const ir::TensorType& type, int axis, int inner);
bool is_packed_in_pairs(const ir::TensorType& type, int axis, int inner);

// bf16 in pairs along `inner` alone: what the same unit reads of a single row.
bool is_row_in_pairs(const ir::TensorType& type, int inner);

// A matrix in panels: in lanes along axis 0, perhaps in groups along axis 1. The lanes are those of a vector type, so a
// power of two.
bool is_panels(const ir::TensorType& type);

// Activations in row tiles of f32, or in groups for a dot-product unit.
bool is_row_tiles(const ir::TensorType& type);

// Caches of keys [heads, context, dim] in whole groups of lanes along the context, of values [heads, context, dim] in
// pairs along the context.
bool is_packed_keys(const ir::TensorType& type);
bool is_packed_values(const ir::TensorType& type);

// Every pack's lanes are a power of two, as those of vectors are; the rows of a register tile need not be.
bool is_in_vector_lanes(const ir::TensorType& type);

}  // namespace strata::cost
