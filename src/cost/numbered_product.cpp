// SPDX-License-Identifier: Apache-2.0
#include "cost/numbered_product.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "cost/operand_layouts.h"
#include "cost/work_counter.h"
#include "ir/by_number.h"

namespace strata::cost {
namespace {

using ir::TensorType;

// As register tiles take rows of this type.
ir::Layout row_tiles(DType dtype, std::int64_t tile) {
  ir::Layout layout{{{tile, 0}}};
  if (const int together = dot_products(dtype); together > 1) layout.packs.push_back({together, 1});
  return layout;
}

}  // namespace

std::optional<ProductOfOne> product_of_one(const ir::Op& op, std::span<const TensorType> operands,
                                           const ir::Attributes& attributes, const ir::Dim& rows, std::int64_t tile) {
  const ir::ByNumber* const of = ir::by_number(op);
  if (of == nullptr || !operands.back().layout.is_row_major()) return std::nullopt;
  ProductOfOne one{&of->of_one(), ir::types_of_one(*of, operands, ir::matrix_count(op, attributes), rows), {}, nullptr};
  for (int i = 0; i < one.op->arity(); ++i) {
    TensorType& type = one.types[static_cast<std::size_t>(i)];
    if (of->is_of_matrix(i)) continue;
    if (!type.layout.is_row_major()) return std::nullopt;
    if (tile != 0) type.layout = row_tiles(type.dtype, tile);
  }
  try {
    one.result = one.op->infer(one.types, {});
  } catch (const Error&) {
    return std::nullopt;
  }
  one.leaf = find_leaf(*one.op, one.types, {}, one.result);
  const bool is_product = one.leaf != nullptr && one.leaf->domain == Leaf::Domain::kContraction;
  return is_product && one.leaf->takes_blocks == (tile != 0) ? std::optional(std::move(one)) : std::nullopt;
}

std::int64_t rows_at_once(std::int64_t rows, std::int64_t tile) {
  constexpr std::int64_t kMost = 96;
  return (std::min(rows, kMost) + tile - 1) / tile * tile;
}

OpCost numbered_cost(const Leaf& leaf, const ir::Op& op, std::span<const Operand> operands,
                     const ir::Attributes& attributes, const TensorType& result, const machine::Machine& machine,
                     const Run& run) {
  std::vector<TensorType> types;
  for (const Operand& operand : operands) types.push_back(sized(operand.type, run.sizes));
  const std::int64_t rows = ir::max_element_count(types.back().shape);
  const std::int64_t met = std::min(rows, ir::matrix_count(op, attributes));
  const bool is_few = !leaf.takes_blocks;
  const std::int64_t each = is_few ? 1 : (rows + met - 1) / met, times = is_few ? rows : met;
  const auto one = product_of_one(op, types, attributes, each, is_few ? 0 : machine::register_tile(machine).rows);
  STRATA_CHECK(one.has_value(), op.name() + " has no product of one matrix");
  std::vector<Operand> of_one;
  for (std::size_t i = 0; i < one->types.size(); ++i)
    of_one.push_back({one->types[i], operands[i].residence, operands[i].since, operands[i].level});
  Run continued = run;
  continued.sizes = {};
  continued.continues = true;
  continued.barriers = 0;
  continued.kept_at = 0;  // of where rows go, all together are counted below
  OpCost cost = leaf_cost(*one->leaf, *one->op, of_one, {}, one->result, machine, continued);
  cost.seconds *= static_cast<double>(times);
  // The rows' places, and that it begins.
  WorkCounter counter(op, operands, attributes, result, machine, run);
  if (run.threads > 1) counter.divide(run.pieces.value_or(run.threads));
  counter.write(bytes_of(counter.result()));
  cost.seconds += counter.cost().seconds;
  return cost;
}

}  // namespace strata::cost
