// SPDX-License-Identifier: Apache-2.0
#include "ops/structured_op.h"

#include <algorithm>

#include "base/error.h"
#include "ops/loop_interpreter.h"

namespace strata::ops {
namespace {

std::vector<ir::Shape> shapes_of(std::span<const ir::TensorType> operands) {
  std::vector<ir::Shape> shapes;
  for (const ir::TensorType& operand : operands) shapes.push_back(operand.shape);
  return shapes;
}

double point_count(const ir::LoopNest& nest, const ir::Stage& stage) {
  double points = 1;
  for (const int i : stage.target) points *= static_cast<double>(nest.iterators[i].extent.max());
  for (const int i : stage.reduced) points *= static_cast<double>(nest.iterators[i].extent.max());
  return points;
}

// Bytes of the operand that the whole loop nest touches: all of it, padding included, unless it reads a part only.
double touched_bytes(const ir::LoopNest& nest, int operand, const ir::TensorType& type) {
  std::vector<ir::IndexRange> whole;
  for (const ir::Iterator& iterator : nest.iterators) whole.push_back({0, iterator.extent.max() - 1});
  double elements = 0;
  double all = 1;
  for (const ir::Dim& dim : type.shape) all *= static_cast<double>(dim.max());
  for (const ir::Stage& stage : nest.stages) {
    for (const ir::ScalarExpr* access : ir::operand_accesses(stage.body)) {
      if (access->number != operand) continue;
      double box = 1;
      for (const ir::IndexRange& range : ir::footprint(access->index, whole))
        box *= static_cast<double>(range.extent());
      elements = std::max(elements, box);
    }
  }
  if (elements >= all) return static_cast<double>(ir::max_bytes(type));
  return elements * static_cast<double>(dtype_size(type.dtype));
}

// The iterator that alone runs along an axis, such that groups of `lanes` indices of it are groups of the axis; -1:
// none.
int lane_iterator(const ir::AffineIndex& index, const ir::Pack& pack) {
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

IteratorPacks restricted_to(const IteratorPacks& packs, const std::vector<ir::AffineIndex>& access) {
  IteratorPacks used;
  for (const IteratorPack& pack : packs) {
    const bool is_used = std::ranges::any_of(
        access, [&](const ir::AffineIndex& index) { return index.coefficients[pack.iterator] != 0; });
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
  ir::check_layout({DType::kF32, result_shape, layout, {}}, op.name());
  return layout;
}

}  // namespace

LoopNestOp::LoopNestOp(std::string name, std::vector<std::string> operand_names,
                       std::vector<std::string> attribute_names, ResultDType result_dtype, ResultLayout result_layout)
    : NamedOp(std::move(name), std::move(operand_names)),
      attribute_names_(std::move(attribute_names)),
      result_dtype_(result_dtype),
      result_layout_(result_layout) {
  if (result_dtype_ == ResultDType::kAttribute) attribute_names_.push_back("dtype");
}

ir::TensorType LoopNestOp::infer(std::span<const ir::TensorType> operands, const ir::Attributes& attributes) const {
  ir::check_attribute_names(*this, attributes, attribute_names_);
  ir::TensorType result;
  if (result_dtype_ == ResultDType::kFirstOperand) result.dtype = operands[0].dtype;
  if (result_dtype_ == ResultDType::kAttribute) {
    const std::optional<DType> dtype = ir::dtype_attribute(attributes, "dtype");
    if (!dtype) throw usage_error(name() + ": the attribute dtype is missing", "give it as {dtype = bf16}");
    result.dtype = *dtype;
  }
  const ir::LoopNest loops = nest(shapes_of(operands), attributes);
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
  const ir::LoopNest loops = nest(shapes, attributes);
  STRATA_CHECK(loops.result_shape() == result.shape, name() + " is evaluated for another shape");
  return interpret_loops(*this, loops, operands, attributes);
}

ir::Work LoopNestOp::work(std::span<const ir::TensorType> operands, const ir::Attributes& attributes,
                          const ir::TensorType& result) const {
  const ir::LoopNest loops = nest(shapes_of(operands), attributes);
  ir::Work work;
  for (const ir::Stage& stage : loops.stages) {
    work.flops += point_count(loops, stage) * static_cast<double>(ir::operations_per_point(stage));
  }
  for (std::size_t i = 0; i < operands.size(); ++i) {
    work.read_bytes += touched_bytes(loops, static_cast<int>(i), operands[i]);
  }
  work.written_bytes = static_cast<double>(ir::max_bytes(result));
  return work;
}

std::optional<ir::LoopNest> LoopNestOp::loops(std::span<const ir::TensorType> operands,
                                              const ir::Attributes& attributes) const {
  return nest(shapes_of(operands), attributes);
}

StructuredOp::StructuredOp(std::string name, const std::vector<std::string>& operand_names,
                           const std::string& declaration, ResultDType result_dtype, ResultLayout result_layout)
    : StructuredOp(std::move(name), operand_names, ir::StructuredDeclaration(declaration, operand_names), result_dtype,
                   result_layout) {}

StructuredOp::StructuredOp(std::string name, const std::vector<std::string>& operand_names,
                           ir::StructuredDeclaration declaration, ResultDType result_dtype, ResultLayout result_layout)
    : LoopNestOp(std::move(name), operand_names, declaration.attributes(), result_dtype, result_layout),
      declaration_(std::move(declaration)) {}

ir::TensorType StructuredOp::infer(std::span<const ir::TensorType> operands, const ir::Attributes& attributes) const {
  ir::TensorType result = LoopNestOp::infer(operands, attributes);
  for (const std::string& attribute : declaration_.attributes())
    (void)ir::float_attribute(*this, attributes, attribute);
  return result;
}

ir::LoopNest StructuredOp::nest(const std::vector<ir::Shape>& shapes, const ir::Attributes& attributes) const {
  (void)attributes;
  return declaration_.apply(name(), shapes);
}

void register_structured(const std::vector<StructuredRow>& rows) {
  for (const StructuredRow& row : rows) {
    register_op<StructuredOp>(row.name, row.operands, row.declaration, row.result_dtype, row.result_layout);
  }
}

}  // namespace strata::ops
