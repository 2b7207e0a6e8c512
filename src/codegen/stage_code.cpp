// SPDX-License-Identifier: Apache-2.0
#include "codegen/stage_code.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "ir/op.h"

namespace strata::codegen {
namespace {

using ir::ScalarExpr;

const std::map<std::string, std::string>& infix_operators() {
  static const std::map<std::string, std::string> kOperators = {{"add", "+"}, {"sub", "-"}, {"mul", "*"}, {"div", "/"}};
  return kOperators;
}

std::string one(bool varies) { return varies ? "tensor::splat(lanes, 1.0f)" : "1.0f"; }
std::string zero(bool varies) { return varies ? "tensor::splat(lanes, 0.0f)" : "0.0f"; }

}  // namespace

std::string index_name(const std::string& iterator) { return "i_" + cpp_name(iterator); }

std::string StageCode::variable(int iterator) const {
  return index_name(nest().iterators[static_cast<std::size_t>(iterator)].name);
}

std::string StageCode::in_lanes(const ir::Stage& stage, int iterator) const {
  return varying(emit(stage.body, iterator));
}

std::string StageCode::combiner(const ir::Stage& stage) {
  switch (stage.combiner) {
    case ir::Combiner::kSum:
      return "tensor::Sum";
    case ir::Combiner::kMax:
      return "tensor::Max";
    case ir::Combiner::kMin:
      return "tensor::Min";
    case ir::Combiner::kProduct:
      return "tensor::Product";
    case ir::Combiner::kNone:
    case ir::Combiner::kTuple:
      break;
  }
  return "";
}

std::string StageCode::result_index() const {
  std::string index;
  ir::Dim stride = 1;
  const auto& target = nest().result().target;
  for (std::size_t axis = target.size(); axis-- > 0;) {
    const std::string term =
        stride == ir::Dim(1) ? variable(target[axis]) : variable(target[axis]) + " * " + cpp_size(stride);
    index = index.empty() ? term : term + " + " + index;
    if (axis > 0) stride = stride * nest().iterators[static_cast<std::size_t>(target[axis])].extent;
  }
  return index.empty() ? "0" : index;
}

std::string StageCode::stored(const std::string& value) const {
  return cpp_type(op_.value->type().dtype) + "(" + value + ")";
}

std::string StageCode::varying(const Code& code) {
  return code.varies ? code.text : "tensor::splat(lanes, " + code.text + ")";
}

StageCode::Code StageCode::emit(const ScalarExpr& body, int vector_iterator) const {
  const auto number = static_cast<std::size_t>(body.number);
  switch (body.kind) {
    case ScalarExpr::Kind::kConstant:
      return {cpp_float(body.value)};
    case ScalarExpr::Kind::kOperand:
      return emit_access(nest().accesses[number], vector_iterator);
    case ScalarExpr::Kind::kStage:
      return {variable(nest().stages[number])};
    case ScalarExpr::Kind::kIterator:
      return {"float(" + variable(body.number) + ")"};
    case ScalarExpr::Kind::kExtent:
      return {"float(" + cpp_size(nest().iterators[number].extent) + ")"};
    case ScalarExpr::Kind::kAttribute:
      return {cpp_float(ir::float_attribute(*op_.value->op, op_.value->attributes, body.name))};
    case ScalarExpr::Kind::kCall:
      return emit_call(body, vector_iterator);
    case ScalarExpr::Kind::kReduce:
      break;
  }
  STRATA_CHECK(false, op_.value->op->name() + " has no loops of its own");
  return {};
}

StageCode::Code StageCode::emit_access(const schedule::StridedAccess& access, int vector_iterator) const {
  const OperandCode& operand = operands_[static_cast<std::size_t>(access.operand)];
  if (!operand.scalar.empty()) return {operand.scalar};
  std::string index;
  for (std::size_t i = 0; i < access.strides.size(); ++i) {
    const ir::Dim& stride = access.strides[i];
    if (stride == ir::Dim(0)) continue;
    const std::string name = variable(static_cast<int>(i));
    index += " + " + (stride == ir::Dim(1) ? name : name + " * " + cpp_size(stride));
  }
  for (const ir::Dim& offset : access.symbolic_offsets) index += " + " + cpp_size(offset);
  if (access.offset != 0) index += " + " + std::to_string(access.offset);
  const ir::Dim step = vector_iterator >= 0 ? access.strides[static_cast<std::size_t>(vector_iterator)] : ir::Dim(0);
  if (step == ir::Dim(0)) return {"tensor::load(tensor::Lanes<1>{}, " + operand.pointer + index + ")", false};
  if (step == ir::Dim(1)) return {"tensor::load(lanes, " + operand.pointer + index + ")", true};
  return {"tensor::load_strided(lanes, " + operand.pointer + index + ", " + cpp_size(step) + ")", true};
}

StageCode::Code StageCode::emit_call(const ScalarExpr& body, int vector_iterator) const {
  std::vector<Code> arguments;
  for (const ScalarExpr& argument : body.arguments) arguments.push_back(emit(argument, vector_iterator));
  const bool varies = std::ranges::any_of(arguments, &Code::varies);
  std::vector<std::string> texts;
  for (const Code& argument : arguments) texts.push_back(varies ? varying(argument) : argument.text);
  if (const auto infix = infix_operators().find(body.name); infix != infix_operators().end()) {
    return {"(" + texts[0] + " " + infix->second + " " + texts[1] + ")", varies};
  }
  if (body.name == "neg") return {"(-" + texts[0] + ")", varies};
  if (body.name == "lt") {
    return {"tensor::select(" + texts[0] + " < " + texts[1] + ", " + one(varies) + ", " + zero(varies) + ")", varies};
  }
  if (body.name == "select") {
    return {"tensor::select(" + texts[0] + " != " + zero(varies) + ", " + texts[1] + ", " + texts[2] + ")", varies};
  }
  std::string call = "tensor::" + body.name + "(";
  for (std::size_t i = 0; i < texts.size(); ++i) call += (i == 0 ? "" : ", ") + texts[i];
  return {call + ")", varies};
}

}  // namespace strata::codegen
