// SPDX-License-Identifier: Apache-2.0
#include "ops/loop_program.h"

#include <algorithm>

#include "base/error.h"
#include "ir/tuple_combiner.h"

namespace strata::ops {
namespace {

using ir::IndexMap;
using ir::IndexTerm;
using ir::ScalarExpr;
using Varies = std::vector<bool>;

std::vector<std::int64_t> row_major_strides(const ir::Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i].factor();
  return strides;
}

bool has_tuple(const ScalarExpr& body) {
  return body.combiner == ir::Combiner::kTuple || std::ranges::any_of(body.arguments, has_tuple);
}

class Compiler {
 public:
  Compiler(const ir::Op& op, const ir::LoopNest& nest, std::span<const ir::Value> operands,
           const ir::Attributes& attributes, const std::vector<std::vector<double>>& stage_values)
      : op_(op), nest_(nest), operands_(operands), attributes_(attributes), stage_values_(stage_values) {}

  Node expression(const ScalarExpr& body) const {
    Node node = made(body);
    const bool is_computed = node.kind != Node::Kind::kConstant && node.kind != Node::Kind::kSlot;
    if (is_computed) node.block = std::make_shared_for_overwrite<double[]>(kBlock);
    return node;
  }

  // The stage's own reduction around its body.
  Node stage(const ir::Stage& stage) const {
    if (stage.combiner == ir::Combiner::kNone) return expression(stage.body);
    ScalarExpr reduction;
    reduction.kind = ScalarExpr::Kind::kReduce;
    reduction.combiner = stage.combiner;
    reduction.reduced = stage.reduced;
    reduction.arguments = {stage.body};
    return expression(reduction);
  }

  std::vector<BoundProgram> bounds(const std::vector<ir::Bound>& bounds) const {
    std::vector<BoundProgram> programs;
    for (const ir::Bound& bound : bounds) programs.push_back({bound.iterator, bound.is_upper, expression(bound.value)});
    return programs;
  }

  Address place(const ir::Stage& stage) const {
    if (!stage.place.empty()) return address(stage.place, nest_.result_shape(), nest_.updated.value_or(0));
    return address_of_target(stage);
  }

 private:
  Varies nothing() const { return Varies(nest_.iterators.size(), false); }

  static void merge(Varies& into, const Varies& other) {
    for (std::size_t i = 0; i < into.size(); ++i) into[i] = into[i] || other[i];
  }

  static Varies of(const Address& address) {
    Varies varies(address.strides.size(), false);
    for (std::size_t i = 0; i < varies.size(); ++i) varies[i] = address.strides[i] != 0;
    for (const ReadAxis& axis : address.axes) {
      for (std::size_t i = 0; i < varies.size(); ++i) varies[i] = varies[i] || axis.coefficients[i] != 0;
      for (const TermProgram& term : axis.terms) {
        if (term.read != nullptr) merge(varies, of(*term.read));
        if (term.kind == IndexTerm::Kind::kIterator) varies[static_cast<std::size_t>(term.number)] = true;
      }
    }
    return varies;
  }

  Node made(const ScalarExpr& body) const {
    Node node;
    node.varies = nothing();
    node.number = body.number;
    switch (body.kind) {
      case ScalarExpr::Kind::kConstant:
        node.value = body.value;
        return node;
      case ScalarExpr::Kind::kExtent:
        node.value = static_cast<double>(nest_.iterators[static_cast<std::size_t>(body.number)].extent.factor());
        return node;
      case ScalarExpr::Kind::kAttribute:
        node.value = ir::float_attribute(op_, attributes_, body.name);
        return node;
      case ScalarExpr::Kind::kIterator:
        node.kind = Node::Kind::kIterator;
        node.varies[static_cast<std::size_t>(body.number)] = true;
        return node;
      case ScalarExpr::Kind::kOperand: {
        const ir::Value& operand = operands_[static_cast<std::size_t>(body.number)];
        return load(operand.data.data(), address(body.index, operand.type.shape, body.number));
      }
      case ScalarExpr::Kind::kStage: {
        const auto number = static_cast<std::size_t>(body.number);
        return load(stage_values_[number].data(), address_of_target(nest_.stages[number]));
      }
      case ScalarExpr::Kind::kCall:
        node.kind = Node::Kind::kCall;
        node.function = *ir::find_scalar_function(body.name);
        for (const ScalarExpr& argument : body.arguments) add_child(node, expression(argument));
        return node;
      case ScalarExpr::Kind::kReduce:
        break;
    }
    return body.combiner == ir::Combiner::kTuple ? tuple(body) : reduction(body, expression(body.arguments[0]));
  }

  static void add_child(Node& node, Node child) {
    merge(node.varies, child.varies);
    node.children.push_back(std::move(child));
  }

  Node load(const double* data, Address from) const {
    Node node;
    node.kind = Node::Kind::kLoad;
    node.varies = of(from);
    node.data = data;
    node.address = std::move(from);
    return node;
  }

  Node reduction(const ScalarExpr& body, Node term) const {
    Node node;
    node.kind = Node::Kind::kReduce;
    node.varies = nothing();
    node.combiner = body.combiner;
    node.reduced = body.reduced;
    node.bounds = bounds(body.bounds);
    for (const BoundProgram& bound : node.bounds) merge(node.varies, bound.value.varies);
    add_child(node, std::move(term));
    for (const int i : body.reduced) node.varies[static_cast<std::size_t>(i)] = false;
    return node;
  }

  // A reduction for each state, then what is made of them: what the combiner says that it means.
  Node tuple(const ScalarExpr& body) const {
    Node node;
    node.kind = Node::Kind::kTuple;
    node.varies = nothing();
    STRATA_CHECK(std::ranges::none_of(body.arguments, has_tuple),
                 op_.name() + ": a tuple is reduced inside of another");
    std::vector<Varies> states;
    for (const ir::Stage& state : body.tuple->states) {
      ScalarExpr part = body;
      part.combiner = state.combiner;
      Node reduced = reduction(part, slot_expression(state.body, body.arguments, states));
      reduced.block = std::make_shared_for_overwrite<double[]>(kBlock);
      states.push_back(reduced.varies);
      add_child(node, std::move(reduced));
    }
    add_child(node, slot_expression(body.tuple->result, body.arguments, states));
    return node;
  }

  // A combiner's expression, with the inputs in their places.
  Node slot_expression(const ScalarExpr& body, const std::vector<ScalarExpr>& inputs,
                       const std::vector<Varies>& states) const {
    const auto number = static_cast<std::size_t>(body.number);
    if (body.kind == ScalarExpr::Kind::kOperand) return expression(inputs[number]);
    Node node;
    node.varies = nothing();
    node.number = body.number;
    if (body.kind == ScalarExpr::Kind::kStage) {
      node.kind = Node::Kind::kSlot;
      node.varies = states[number];
      return node;
    }
    STRATA_CHECK(body.kind == ScalarExpr::Kind::kCall, "a combiner is made of inputs, states and calls");
    node.kind = Node::Kind::kCall;
    node.function = *ir::find_scalar_function(body.name);
    node.block = std::make_shared_for_overwrite<double[]>(kBlock);
    for (const ScalarExpr& argument : body.arguments) add_child(node, slot_expression(argument, inputs, states));
    return node;
  }

  Address address_of_target(const ir::Stage& stage) const {
    ir::Shape shape;
    for (const int i : stage.target) shape.push_back(nest_.iterators[static_cast<std::size_t>(i)].extent);
    const std::vector<std::int64_t> strides = row_major_strides(shape);
    Address address{0, std::vector<std::int64_t>(nest_.iterators.size(), 0), {}};
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      address.strides[static_cast<std::size_t>(stage.target[axis])] = strides[axis];
    }
    return address;
  }

  Address address(const std::vector<IndexMap>& index, const ir::Shape& shape, int operand) const {
    const std::vector<std::int64_t> strides = row_major_strides(shape);
    Address address{0, std::vector<std::int64_t>(nest_.iterators.size(), 0), {}};
    for (std::size_t axis = 0; axis < index.size(); ++axis) {
      if (!ir::is_affine(index[axis])) {
        address.axes.push_back(read_axis(index[axis], static_cast<int>(axis), shape[axis].factor(), operand));
        address.axes.back().stride = strides[axis];
        continue;
      }
      address.offset += index[axis].constant * strides[axis];
      for (std::size_t i = 0; i < address.strides.size(); ++i) {
        address.strides[i] += index[axis].coefficients[i] * strides[axis];
      }
    }
    return address;
  }

  ReadAxis read_axis(const IndexMap& index, int axis, std::int64_t size, int operand) const {
    ReadAxis read{operand, axis, size, 1, index.constant, index.coefficients, {}};
    for (const IndexTerm& term : index.terms) {
      TermProgram program{term.kind, term.coefficient, term.number, term.divisor, term.is_remainder, nullptr};
      if (term.kind == IndexTerm::Kind::kOperand) {
        const ir::Shape& shape = operands_[static_cast<std::size_t>(term.number)].type.shape;
        program.read = std::make_shared<Address>(address(term.index, shape, term.number));
      }
      read.terms.push_back(std::move(program));
    }
    return read;
  }

  const ir::Op& op_;
  const ir::LoopNest& nest_;
  std::span<const ir::Value> operands_;
  const ir::Attributes& attributes_;
  const std::vector<std::vector<double>>& stage_values_;
};

}  // namespace

LoopProgram::LoopProgram(const ir::Op& op, const ir::LoopNest& nest, std::span<const ir::Value> operands,
                         const ir::Attributes& attributes, const std::vector<std::vector<double>>& stage_values,
                         const ir::Stage& stage) {
  const Compiler compiler(op, nest, operands, attributes, stage_values);
  bounds = compiler.bounds(stage.bounds);
  body = compiler.stage(stage);
  place = compiler.place(stage);
}

}  // namespace strata::ops
