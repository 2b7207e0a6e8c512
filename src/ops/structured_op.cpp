// SPDX-License-Identifier: Apache-2.0
#include "ops/structured_op.h"

#include <algorithm>

#include "base/error.h"
#include "ops/loop_interpreter.h"
#include "ops/loop_work.h"

namespace strata::ops {
namespace {

std::vector<ir::Shape> shapes_of(std::span<const ir::TensorType> operands) {
  std::vector<ir::Shape> shapes;
  for (const ir::TensorType& operand : operands) shapes.push_back(operand.shape);
  return shapes;
}

// The iterator that alone runs along an axis, such that groups of `lanes` indices of it are groups of the axis; -1:
// none.
int lane_iterator(const ir::IndexMap& index, const ir::Pack& pack) {
  int iterator = -1;
  for (std::size_t i = 0; i < index.coefficients.size(); ++i) {
    if (index.coefficients[i] == 0) continue;
    if (iterator != -1 || index.coefficients[i] != 1) return -1;
    iterator = static_cast<int>(i);
  }
  const bool shifts_lanes = pack.is_ragged ? index.constant != 0 : index.constant % pack.lanes != 0;
  return shifts_lanes ? -1 : iterator;
}

// (iterator, pack of the axis that it runs along), outermost pack first; the packs' axes are not compared.
struct IteratorPack {
  int iterator;
  std::int64_t lanes;
  bool is_ragged;
  bool operator==(const IteratorPack&) const = default;
};
using IteratorPacks = std::vector<IteratorPack>;

IteratorPacks restricted_to(const IteratorPacks& packs, const std::vector<ir::IndexMap>& access) {
  IteratorPacks used;
  for (const IteratorPack& pack : packs) {
    const bool is_used =
        std::ranges::any_of(access, [&](const ir::IndexMap& index) { return index.coefficients[pack.iterator] != 0; });
    if (is_used) used.push_back(pack);
  }
  return used;
}

// The iterators that an operand's packs run along, as one access reads it.
IteratorPacks packed_iterators(const ir::Op& op, const ir::ScalarExpr& access, const ir::TensorType& operand) {
  IteratorPacks packs;
  for (const ir::Pack& pack : operand.layout.packs) {
    const int iterator = lane_iterator(access.index[pack.axis], pack);
    if (iterator < 0) {
      throw usage_error(op.name() + ": operand " + op.operand_names()[access.number] + " is packed along axis " +
                            std::to_string(pack.axis) + ", which no single loop runs along",
                        "unpack it");
    }
    packs.push_back({iterator, pack.lanes, pack.is_ragged});
  }
  return packs;
}

ir::Layout following_layout(const ir::Op& op, const ir::LoopNest& nest, std::span<const ir::TensorType> operands,
                            const ir::Shape& result_shape) {
  IteratorPacks packs;
  std::vector<std::pair<const ir::ScalarExpr*, IteratorPacks>> accesses;
  for (const ir::Stage& stage : nest.stages) {
    for (const ir::ScalarExpr* access : ir::operand_accesses(stage.body)) {
      accesses.emplace_back(access, packed_iterators(op, *access, operands[access->number]));
      if (accesses.back().second.size() > packs.size()) packs = accesses.back().second;
    }
  }
  for (const auto& [access, own] : accesses) {
    if (own == restricted_to(packs, access->index)) continue;
    throw usage_error(op.name() + ": operand " + op.operand_names()[access->number] + " is packed as " +
                          (own.empty() ? "row-major" : operands[access->number].layout.text()) +
                          ", unlike another operand",
                      "pack all operands along the same loops");
  }
  ir::Layout layout;
  const std::vector<int>& target = nest.result().target;
  for (const IteratorPack& pack : packs) {
    const auto at = std::ranges::find(target, pack.iterator);
    if (at == target.end()) continue;
    layout.packs.push_back({pack.lanes, static_cast<int>(at - target.begin()), pack.is_ragged});
  }
  ir::check_layout({.dtype = DType::kF32, .shape = result_shape, .layout = layout}, op.name());
  return layout;
}

}  // namespace

LoopNestOp::LoopNestOp(std::string name, std::vector<std::string> operand_names,
                       std::vector<std::string> attribute_names, ResultDType result_dtype, ResultLayout result_layout)
    : NamedOp(std::move(name), std::move(operand_names)),
      attribute_names_(std::move(attribute_names)),
      result_dtype_(result_dtype),
      result_layout_(result_layout) {
  const bool is_named = result_dtype_ == ResultDType::kAttribute || result_dtype_ == ResultDType::kAttributeOrF32;
  if (is_named) attribute_names_.push_back("dtype");
}

ir::TensorType LoopNestOp::infer_unplaced(std::span<const ir::TensorType> operands,
                                          const ir::Attributes& attributes) const {
  ir::check_attribute_names(*this, attributes, attribute_names_);
  ir::TensorType result;
  if (result_dtype_ == ResultDType::kFirstOperand) result.dtype = operands[0].dtype;
  if (result_dtype_ == ResultDType::kAttribute) {
    const std::optional<DType> dtype = ir::dtype_attribute(attributes, "dtype");
    if (!dtype) throw usage_error(name() + ": the attribute dtype is missing", "give it as {dtype = bf16}");
    result.dtype = *dtype;
  }
  if (result_dtype_ == ResultDType::kI8) result.dtype = DType::kI8;
  if (result_dtype_ == ResultDType::kAttributeOrF32) {
    result.dtype = ir::dtype_attribute(attributes, "dtype").value_or(DType::kF32);
  }
  const auto made = nest(shapes_of(operands), attributes);
  const ir::LoopNest& loops = *made;
  for (const int operand : ir::index_operands(loops)) require_integers(operands, operand);
  if (loops.updated) return operands[static_cast<std::size_t>(*loops.updated)];
  result.shape = loops.result_shape();
  const bool is_packed = std::ranges::any_of(operands, [](const auto& type) { return !type.layout.is_row_major(); });
  if (is_packed && result_layout_ == ResultLayout::kFollows) {
    result.layout = following_layout(*this, loops, operands, result.shape);
  }
  return result;
}

std::vector<double> LoopNestOp::evaluate(std::span<const ir::Value> operands, const ir::Attributes& attributes,
                                         const ir::TensorType& result) const {
  std::vector<ir::Shape> shapes;
  for (const ir::Value& operand : operands) shapes.push_back(operand.type.shape);
  const auto made = nest(shapes, attributes);
  const ir::LoopNest& loops = *made;
  STRATA_CHECK(loops.result_shape() == result.shape, name() + " is evaluated for another shape");
  return interpret_loops(*this, loops, operands, attributes);
}

ir::Work LoopNestOp::work(std::span<const ir::TensorType> operands, const ir::Attributes& attributes,
                          const ir::TensorType& result) const {
  return loop_work(*this, *nest(shapes_of(operands), attributes), operands, attributes, result);
}

std::shared_ptr<const ir::LoopNest> LoopNestOp::loops(std::span<const ir::TensorType> operands,
                                                      const ir::Attributes& attributes) const {
  return nest(shapes_of(operands), attributes);
}

StructuredOp::StructuredOp(std::string name, const std::vector<std::string>& operand_names,
                           const std::string& declaration, ResultDType result_dtype, ResultLayout result_layout,
                           bool permits_rounding)
    : StructuredOp(std::move(name), operand_names, ir::StructuredDeclaration(declaration, operand_names), result_dtype,
                   result_layout, permits_rounding) {}

StructuredOp::StructuredOp(std::string name, const std::vector<std::string>& operand_names,
                           ir::StructuredDeclaration declaration, ResultDType result_dtype, ResultLayout result_layout,
                           bool permits_rounding)
    : LoopNestOp(std::move(name), operand_names, declaration.attributes(), result_dtype, result_layout),
      declaration_(std::move(declaration)),
      permits_rounding_(permits_rounding) {}

ir::TensorType StructuredOp::infer_unplaced(std::span<const ir::TensorType> operands,
                                            const ir::Attributes& attributes) const {
  ir::TensorType result = LoopNestOp::infer_unplaced(operands, attributes);
  for (const std::string& attribute : declaration_.attributes())
    (void)ir::float_attribute(*this, attributes, attribute);
  return result;
}

std::shared_ptr<const ir::LoopNest> StructuredOp::nest(const std::vector<ir::Shape>& shapes,
                                                       const ir::Attributes& attributes) const {
  (void)attributes;
  constexpr std::size_t kMost = 64;
  const std::lock_guard lock(known_->mutex);
  auto& nests = known_->nests;
  for (const auto& [of, nest] : nests) {
    if (of == shapes) return nest;
  }
  const auto made = std::make_shared<const ir::LoopNest>(declaration_.apply(name(), shapes));
  if (nests.size() < kMost) {
    nests.emplace_back(shapes, made);
  } else {
    nests[known_->next] = {shapes, made};
    known_->next = (known_->next + 1) % kMost;
  }
  return made;
}

void register_structured(const std::vector<StructuredRow>& rows) {
  for (const StructuredRow& row : rows) {
    register_op<StructuredOp>(row.name, row.operands, row.declaration, row.result_dtype, row.result_layout,
                              row.permits_rounding);
  }
}

}  // namespace strata::ops
