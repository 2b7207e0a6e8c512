// SPDX-License-Identifier: Apache-2.0
#include "schedule/numbered_tree.h"

#include <algorithm>

#include "base/error.h"
#include "cost/numbered_product.h"
#include "ir/by_number.h"
#include "machine/cost.h"
#include "schedule/contraction_tree.h"
#include "schedule/view_plan.h"
#include "tensor/by_number.h"

namespace strata::schedule {
namespace {

using Kind = TileNode::Kind;

constexpr int kProductRows = 0, kProductColumns = 1;  // iterators of the product of one matrix

std::vector<ir::TensorType> types_of(const ir::Expr& value) {
  std::vector<ir::TensorType> types;
  for (const ir::Expr* argument : value.arguments) types.push_back(argument->type());
  return types;
}

std::int64_t row_tile(const ScheduledOp& op) {
  return op.leaf->takes_blocks ? op.one->op.value->arguments[0]->type().layout.lanes(0) : 0;
}

// Which of its operands are rows.
std::vector<std::size_t> operands_of_rows(const ScheduledOp& op) {
  std::vector<std::size_t> found;
  const ir::ByNumber& of = *ir::by_number(*op.value->op);
  for (int i = 0; i < of.of_one().arity(); ++i) {
    if (!of.is_of_matrix(i)) found.push_back(static_cast<std::size_t>(i));
  }
  return found;
}

}  // namespace

std::shared_ptr<const NumberedProduct> numbered_product(const ir::Expr& value, const cost::Leaf& leaf,
                                                        const machine::Machine& machine) {
  auto made = std::make_shared<NumberedProduct>();
  const std::int64_t all = ir::max_element_count(value.arguments.back()->type().shape);
  const std::int64_t tile = leaf.takes_blocks ? machine::register_tile(machine).rows : 0;
  ir::Dim rows = 1;
  if (tile != 0)
    rows = {1, std::make_shared<const ir::Symbol>(
                   ir::Symbol{std::string(kNumberedRows), 1, cost::rows_at_once(all, tile), 1})};
  const auto one = cost::product_of_one(*value.op, types_of(value), value.attributes, rows, tile);
  STRATA_CHECK(one.has_value(), value.op->name() + " has no product of one matrix");
  std::vector<const ir::Expr*> arguments;
  for (std::size_t i = 0; i < one->types.size(); ++i)
    arguments.push_back(made->pool.parameter("p" + std::to_string(i), one->types[i]));
  ScheduledOp& op = made->op;
  op.value = made->pool.op(*one->op, arguments);
  op.leaf = one->leaf;
  const auto loops = loops_of(*op.value);
  op.form = ir::form_operands(*loops);
  op.contraction = ir::contraction(*loops);
  for (const ir::TensorType& type : one->types) op.operands.push_back(own_memory(type));
  op.tree = contraction_tree(op, machine, predicted_tiles(op, machine));
  return made;
}

TileTree numbered_tree(const ScheduledOp& op, const machine::Machine& machine) {
  TileTree tree = op.one->op.tree;
  TileNode& shared = tree.body.at(0);
  STRATA_CHECK(shared.kind == Kind::kParallel && shared.iterator == kProductColumns,
               "threads share a product's columns");
  const std::int64_t step = tree.iterators[kProductRows].extent.max();
  TileNode numbered = loop_node(Kind::kNumbered, kProductRows, step, std::move(shared.body));
  numbered.with = numbered_buffers(op);
  const std::vector<cost::Scratch> needs = numbered_scratch(op, step);
  shared.body.clear();
  for (std::size_t i = 0; i < needs.size(); ++i)
    shared.body.push_back(buffer_node(numbered.with[i], needs[i], machine));
  shared.body.push_back(std::move(numbered));
  return tree;
}

std::vector<std::string> numbered_buffers(const ScheduledOp& op) {
  std::vector<std::string> names = {"order", "tile"};
  if (row_tile(op) == 0) return names;
  names.emplace_back("taken");
  for (const std::size_t operand : operands_of_rows(op)) names.push_back("rows" + std::to_string(operand));
  return names;
}

std::vector<cost::Scratch> numbered_scratch(const ScheduledOp& op, std::int64_t step) {
  const ir::Expr& one = *op.one->op.value;
  const std::int64_t rows = ir::max_element_count(op.value->arguments.back()->type().shape);
  const std::int64_t matrices = ir::matrix_count(*op.value->op, op.value->attributes);
  const std::int64_t columns = one.type().shape.back().max();
  const int right = op.one->op.contraction->right;
  const std::int64_t lanes = one.arguments[static_cast<std::size_t>(right)]->type().layout.packs.at(0).lanes;
  std::vector<cost::Scratch> needs = {{DType::kI32, tensor::order_elements(rows, matrices)},
                                      {DType::kF32, step * tensor::tile_width(lanes, columns)}};
  const std::int64_t tile = row_tile(op);
  if (tile == 0) return needs;
  std::vector<cost::Scratch> packed;
  std::int64_t widest = 0;
  for (const std::size_t operand : operands_of_rows(op)) {
    const ir::TensorType& type = one.arguments[operand]->type();
    const std::int64_t group = type.layout.group();
    const std::int64_t width = (type.shape.back().max() + group - 1) / group * group;
    packed.push_back({type.dtype, (step + tile - 1) / tile * tile * width});
    widest = std::max(widest, type.shape.back().max() * dtype_size(type.dtype));
  }
  needs.push_back({DType::kF32, (tile * widest + 3) / 4});
  needs.insert(needs.end(), packed.begin(), packed.end());
  return needs;
}

}  // namespace strata::schedule
