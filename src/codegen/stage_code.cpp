// SPDX-License-Identifier: Apache-2.0
#include "codegen/stage_code.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/ranges.h"
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

StageCode::Elements StageCode::row_major(int stage, const std::string& pointer) const {
  Elements elements{pointer, std::vector<ir::Dim>(nest().iterators.size(), ir::Dim(0)), {}};
  ir::Dim stride = 1;
  const auto& target = nest().stages[static_cast<std::size_t>(stage)].target;
  for (std::size_t axis = target.size(); axis-- > 0;) {
    const auto iterator = static_cast<std::size_t>(target[axis]);
    elements.strides[iterator] = stride;
    if (axis > 0) stride = stride * nest().iterators[iterator].extent;
  }
  return elements;
}

std::string StageCode::address(int stage) const { return address(stage, {}); }

std::string StageCode::address(int stage, const std::vector<int>& first) const {
  const Elements& elements = elements_[static_cast<std::size_t>(stage)];
  STRATA_CHECK(!elements.pointer.empty(), "a stage that is kept nowhere is read");
  std::string index;
  for (std::size_t i = 0; i < elements.strides.size(); ++i) {
    const ir::Dim& stride = elements.strides[i];
    if (stride == ir::Dim(0) || contains(first, static_cast<int>(i))) continue;
    std::string name = variable(static_cast<int>(i));
    const bool is_moved = !elements.begins.empty() && elements.begins[i] != "0";
    if (is_moved) name = "(" + name + " - " + elements.begins[i] + ")";
    index += " + " + (stride == ir::Dim(1) ? name : name + " * " + cpp_size(stride));
  }
  return elements.pointer + index;
}

std::string StageCode::stored(int stage, const std::string& value) const {
  const ir::Expr* const made = op_.made[static_cast<std::size_t>(stage)];
  return cpp_type(made->type().dtype) + "(" + value + ")";
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
      return emit_access(body.number, vector_iterator);
    case ScalarExpr::Kind::kStage:
      return emit_stage(body.number, vector_iterator);
    case ScalarExpr::Kind::kIterator:
      return {"float(" + variable(body.number) + ")"};
    case ScalarExpr::Kind::kExtent:
      return {"float(" + cpp_size(nest().iterators[number].extent) + ")"};
    case ScalarExpr::Kind::kCall:
      return emit_call(body, vector_iterator);
    case ScalarExpr::Kind::kAttribute:
    case ScalarExpr::Kind::kReduce:
      break;
  }
  STRATA_CHECK(false, op_.value->op->name() + " has no loops of its own");
  return {};
}

StageCode::Code StageCode::emit_stage(int stage, int vector_iterator) const {
  const auto known = std::ranges::find(variables_, stage, &Variable::stage);
  if (known != variables_.end()) return {variable(nest().stages[static_cast<std::size_t>(stage)]), known->varies};
  const Elements& elements = elements_[static_cast<std::size_t>(stage)];
  const auto along = static_cast<std::size_t>(vector_iterator);
  return load(address(stage), vector_iterator >= 0 ? elements.strides[along] : ir::Dim(0));
}

// Elements for the lanes, so far apart; 0: one for all of them.
StageCode::Code StageCode::load(const std::string& address, const ir::Dim& step) {
  if (step == ir::Dim(0)) return {"tensor::load(tensor::Lanes<1>{}, " + address + ")", false};
  if (step == ir::Dim(1)) return {"tensor::load(lanes, " + address + ")", true};
  return {"tensor::load_strided(lanes, " + address + ", " + cpp_size(step) + ")", true};
}

StageCode::Code StageCode::emit_in_tile(const Tile& tile, int vector_iterator) const {
  const auto from = [](const std::string& index, const std::string& begin) {
    return begin == "0" ? index : "(" + index + " - " + begin + ")";
  };
  const auto times = [](const std::string& index, const ir::Dim& stride) {
    return " + " + (stride == ir::Dim(1) ? index : index + " * " + cpp_size(stride));
  };
  std::string index;
  for (std::size_t i = 0; i < tile.access.strides.size(); ++i) {
    const ir::Dim& stride = tile.access.strides[i];
    if (stride == ir::Dim(0)) continue;
    index += times(from(variable(static_cast<int>(i)), tile.begins[i]), stride);
  }
  for (std::size_t d = 0; d < tile.access.divided.size(); ++d) {
    const schedule::DividedStride& divided = tile.access.divided[d];
    const std::string part =
        variable(divided.iterator) + (divided.is_remainder ? " % " : " / ") + std::to_string(divided.divisor);
    index += times(from("(" + part + ")", tile.divided_begins[d]), divided.stride);
  }
  const auto step = vector_iterator >= 0 ? schedule::stride_in_lanes(tile.access, vector_iterator) : ir::Dim(0);
  return load(tile.pointer + index, step.value_or(ir::Dim(1)));
}

StageCode::Code StageCode::emit_access(int number, int vector_iterator) const {
  const schedule::StridedAccess& access = nest().accesses[static_cast<std::size_t>(number)];
  const auto tile = tiles_.find(number);
  if (tile != tiles_.end()) return emit_in_tile(tile->second, vector_iterator);
  const bool is_of_stage = access.stage >= 0;
  const OperandCode operand = is_of_stage ? OperandCode{address(access.stage, access.inside), ""}
                                          : operands_[static_cast<std::size_t>(access.operand)];
  if (!operand.scalar.empty()) return {operand.scalar};
  std::string index;
  for (std::size_t i = 0; i < access.strides.size(); ++i) {
    const ir::Dim& stride = access.strides[i];
    if (stride == ir::Dim(0)) continue;
    const std::string name = variable(static_cast<int>(i));
    index += " + " + (stride == ir::Dim(1) ? name : name + " * " + cpp_size(stride));
  }
  for (const schedule::DividedStride& divided : access.divided) {
    const std::string name = variable(divided.iterator) + (divided.is_remainder ? " % " : " / ");
    index += " + " + name + std::to_string(divided.divisor) + " * " + cpp_size(divided.stride);
  }
  for (const ir::Dim& offset : access.symbolic_offsets) index += " + " + cpp_size(offset);
  if (access.offset != 0) index += " + " + std::to_string(access.offset);
  const auto step = vector_iterator >= 0 ? schedule::stride_in_lanes(access, vector_iterator) : ir::Dim(0);
  return load(operand.pointer + index, step.value_or(ir::Dim(1)));
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
