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

}  // namespace

LoopNestOp::LoopNestOp(std::string name, std::vector<std::string> operand_names,
                       std::vector<std::string> attribute_names, ResultDType result_dtype)
    : NamedOp(std::move(name), std::move(operand_names)),
      attribute_names_(std::move(attribute_names)),
      result_dtype_(result_dtype) {
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
  result.shape = nest(shapes_of(operands), attributes).result_shape();
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
                           const std::string& declaration, ResultDType result_dtype)
    : StructuredOp(std::move(name), operand_names, ir::StructuredDeclaration(declaration, operand_names),
                   result_dtype) {}

StructuredOp::StructuredOp(std::string name, const std::vector<std::string>& operand_names,
                           ir::StructuredDeclaration declaration, ResultDType result_dtype)
    : LoopNestOp(std::move(name), operand_names, declaration.attributes(), result_dtype),
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
    register_op<StructuredOp>(row.name, row.operands, row.declaration, row.result_dtype);
  }
}

}  // namespace strata::ops
