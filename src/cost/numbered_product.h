// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "cost/leaf.h"
#include "cost/op_cost.h"

namespace strata::cost {

// Of a product by number (ir/by_number.h) that of the rows that meet one matrix, and what computes it.
struct ProductOfOne {
  const ir::Op* op = nullptr;
  std::vector<ir::TensorType> types;  // of its operands
  ir::TensorType result;
  const Leaf* leaf = nullptr;
};

// In row tiles of so many rows; of 0, row-major. Nothing where no leaf takes it, or the op is no product by number.
std::optional<ProductOfOne> product_of_one(const ir::Op& op, std::span<const ir::TensorType> operands,
                                           const ir::Attributes& attributes, const ir::Dim& rows, std::int64_t tile);

// Whether so few rows are multiplied one by one, each by its matrix as it streams past: those of this many tokens.
inline constexpr std::int64_t kFewTokens = 8;

// Rows of one matrix that are multiplied at once.
std::int64_t rows_at_once(std::int64_t rows, std::int64_t tile);

// The cost of the leaf of a product by number: of each matrix that rows meet, at most all and at most one for each row,
// that of its product.
OpCost numbered_cost(const Leaf& leaf, const ir::Op& op, std::span<const Operand> operands,
                     const ir::Attributes& attributes, const ir::TensorType& result, const machine::Machine& machine,
                     const Run& run);

}  // namespace strata::cost
