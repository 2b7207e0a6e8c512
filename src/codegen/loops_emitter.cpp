// SPDX-License-Identifier: Apache-2.0
#include "codegen/loops_emitter.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "ir/op.h"

namespace strata::codegen {
namespace {

using ir::ScalarExpr;
using schedule::StridedNest;
using schedule::TileLoop;

// C++ of a scalar computation: a float, or a vector of the lanes in scope.
struct Code {
  std::string text;
  bool varies = false;  // over the lanes
};

const std::map<std::string, std::string>& infix_operators() {
  static const std::map<std::string, std::string> kOperators = {{"add", "+"}, {"sub", "-"}, {"mul", "*"}, {"div", "/"}};
  return kOperators;
}

std::string combiner_type(ir::Combiner combiner) {
  switch (combiner) {
    case ir::Combiner::kSum:
      return "tensor::Sum";
    case ir::Combiner::kMax:
      return "tensor::Max";
    case ir::Combiner::kMin:
      return "tensor::Min";
    case ir::Combiner::kProduct:
      return "tensor::Product";
    case ir::Combiner::kNone:
      break;
  }
  return "";
}

// One op's loops.
class LoopsEmitter {
 public:
  LoopsEmitter(CodeWriter& out, const schedule::ScheduledOp& op, const std::vector<OperandCode>& operands,
               std::string destination, std::int64_t lanes)
      : out_(out), op_(op), nest_(*op.nest), operands_(operands), destination_(std::move(destination)), lanes_(lanes) {}

  void run() {
    const bool divided = std::ranges::any_of(op_.loops, is_parallel);
    const bool flat = op_.loops.size() == 1 && op_.loops[0].kind == TileLoop::Kind::kVector && nest_.stages.size() == 1;
    if (!divided && !flat) out_.open("if (team.rank == 0) {");
    std::size_t opened = 0;
    for (const TileLoop& loop : op_.loops) {
      if (!encloses_all_stages(loop)) break;
      open_loop(loop);
      ++opened;
    }
    for (std::size_t s = 0; s + 1 < nest_.stages.size(); ++s) emit_intermediate(nest_.stages[s]);
    emit_result(opened, flat);
    for (std::size_t i = 0; i < opened; ++i) out_.close();
    if (!divided && !flat) out_.close();
  }

 private:
  static bool is_parallel(const TileLoop& loop) { return loop.kind == TileLoop::Kind::kParallel; }

  bool encloses_all_stages(const TileLoop& loop) const {
    if (loop.kind == TileLoop::Kind::kVector) return false;
    return std::ranges::all_of(nest_.stages, [&](const ir::Stage& stage) {
      return std::ranges::find(stage.target, loop.iterator) != stage.target.end();
    });
  }

  std::string variable(int iterator) const { return "i_" + cpp_name(nest_.iterators[iterator].name); }
  std::string extent(int iterator) const { return cpp_size(nest_.iterators[iterator].extent); }

  void open_loop(const TileLoop& loop) {
    const std::string i = variable(loop.iterator);
    if (is_parallel(loop)) {
      out_.line("const tensor::Range share = team.split(" + extent(loop.iterator) + ");");
      out_.open("for (std::int64_t " + i + " = share.begin; " + i + " < share.end; ++" + i + ") {");
    } else {
      out_.open("for (std::int64_t " + i + " = 0; " + i + " < " + extent(loop.iterator) + "; ++" + i + ") {");
    }
  }

  // Reduced value of a stage, indexed by the enclosing loops: a float in scope of all that follows.
  void emit_intermediate(const ir::Stage& stage) {
    out_.line("// " + stage.name);
    if (stage.combiner == ir::Combiner::kNone) {
      out_.line("const float s_" + stage.name + " = " + scalar_code(stage.body) + ";");
      return;
    }
    emit_reduction(stage, "s_" + stage.name);
  }

  void emit_reduction(const ir::Stage& stage, const std::string& name) {
    const std::string combiner = combiner_type(stage.combiner);
    out_.line("float " + name + " = " + combiner + "::identity;");
    for (std::size_t i = 0; i + 1 < stage.reduced.size(); ++i) {
      const std::string v = variable(stage.reduced[i]);
      out_.open("for (std::int64_t " + v + " = 0; " + v + " < " + extent(stage.reduced[i]) + "; ++" + v + ") {");
    }
    const int innermost = stage.reduced.back();
    out_.open(name + " = tensor::reduce_vectors<" + std::to_string(lanes_for(stage.body, innermost)) + ">(" +
              extent(innermost) + ", " + name + ", " + combiner + "{}, [&](auto lanes, std::int64_t " +
              variable(innermost) + ") {");
    out_.line("return " + varying(emit(stage.body, innermost)) + ";");
    out_.close(");");
    for (std::size_t i = 0; i + 1 < stage.reduced.size(); ++i) out_.close();
  }

  void emit_result(std::size_t opened, bool flat) {
    const ir::Stage& stage = nest_.result();
    for (std::size_t i = opened; i < op_.loops.size(); ++i) {
      if (op_.loops[i].kind != TileLoop::Kind::kVector) open_loop(op_.loops[i]);
    }
    const bool has_vector_loop = !op_.loops.empty() && op_.loops.back().kind == TileLoop::Kind::kVector;
    if (has_vector_loop) {
      emit_vector_loop(stage, op_.loops.back().iterator, flat);
    } else if (stage.combiner != ir::Combiner::kNone) {
      emit_reduction(stage, "s_" + stage.name);
      out_.line(destination_ + "[" + result_index() + "] = " + stored("s_" + stage.name) + ";");
    } else {
      out_.line(destination_ + "[" + result_index() + "] = " + stored(scalar_code(stage.body)) + ";");
    }
    for (std::size_t i = opened; i < op_.loops.size(); ++i) {
      if (op_.loops[i].kind != TileLoop::Kind::kVector) out_.close();
    }
  }

  // A flat elementwise op is divided in pieces of 4096 elements, so that small ones stay on one thread. The figure is a
  // guess, not a measurement.
  void emit_vector_loop(const ir::Stage& stage, int iterator, bool flat) {
    const std::string i = variable(iterator);
    const std::string lanes = std::to_string(lanes_for(stage.body, iterator));
    if (flat) out_.line("const tensor::Range share = team.split(" + extent(iterator) + ", 4096);");
    const std::string count = flat ? "share.end - share.begin" : extent(iterator);
    const std::string counter = flat ? "i" : i;
    out_.open("tensor::for_each_vector<" + lanes + ">(" + count + ", [&](auto lanes, std::int64_t " + counter + ") {");
    if (flat) out_.line("const std::int64_t " + i + " = share.begin + i;");
    out_.line("tensor::store(lanes, " + destination_ + " + " + result_index() + ", " +
              varying(emit(stage.body, iterator)) + ");");
    out_.close(");");
  }

  // Row-major index of the result, in elements.
  std::string result_index() const {
    std::string index;
    ir::Dim stride = 1;
    const auto& target = nest_.result().target;
    for (std::size_t axis = target.size(); axis-- > 0;) {
      const std::string term =
          stride == ir::Dim(1) ? variable(target[axis]) : variable(target[axis]) + " * " + cpp_size(stride);
      index = index.empty() ? term : term + " + " + index;
      if (axis > 0) stride = stride * nest_.iterators[target[axis]].extent;
    }
    return index.empty() ? "0" : index;
  }

  std::string stored(const std::string& value) const { return cpp_type(op_.value->type().dtype) + "(" + value + ")"; }

  static std::string varying(const Code& code) {
    return code.varies ? code.text : "tensor::splat(lanes, " + code.text + ")";
  }

  std::string scalar_code(const ScalarExpr& body) { return emit(body, -1).text; }

  // Vector lanes are possible where the iterator's value is not used.
  std::int64_t lanes_for(const ScalarExpr& body, int iterator) const {
    return can_vectorise(body, iterator) ? lanes_ : 1;
  }

  static bool can_vectorise(const ScalarExpr& body, int iterator) {
    if (body.kind == ScalarExpr::Kind::kIterator && body.number == iterator) return false;
    return std::ranges::all_of(body.arguments, [&](const ScalarExpr& a) { return can_vectorise(a, iterator); });
  }

  Code emit(const ScalarExpr& body, int vector_iterator) {
    switch (body.kind) {
      case ScalarExpr::Kind::kConstant:
        return {cpp_float(body.value)};
      case ScalarExpr::Kind::kOperand:
        return emit_access(nest_.accesses[body.number], vector_iterator);
      case ScalarExpr::Kind::kStage:
        return {"s_" + nest_.stages[body.number].name};
      case ScalarExpr::Kind::kIterator:
        return {"float(" + variable(body.number) + ")"};
      case ScalarExpr::Kind::kExtent:
        return {"float(" + extent(body.number) + ")"};
      case ScalarExpr::Kind::kAttribute:
        return {cpp_float(ir::float_attribute(*op_.value->op, op_.value->attributes, body.name))};
      case ScalarExpr::Kind::kCall:
        return emit_call(body, vector_iterator);
    }
    return {};
  }

  Code emit_access(const schedule::StridedAccess& access, int vector_iterator) {
    const OperandCode& operand = operands_[access.operand];
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
    const ir::Dim step = vector_iterator >= 0 ? access.strides[vector_iterator] : ir::Dim(0);
    if (step == ir::Dim(0)) return {"tensor::load(tensor::Lanes<1>{}, " + operand.pointer + index + ")", false};
    if (step == ir::Dim(1)) return {"tensor::load(lanes, " + operand.pointer + index + ")", true};
    return {"tensor::load_strided(lanes, " + operand.pointer + index + ", " + cpp_size(step) + ")", true};
  }

  Code emit_call(const ScalarExpr& body, int vector_iterator) {
    std::vector<Code> arguments;
    for (const ScalarExpr& argument : body.arguments) arguments.push_back(emit(argument, vector_iterator));
    const bool varies = std::ranges::any_of(arguments, &Code::varies);
    std::vector<std::string> texts;
    for (const Code& argument : arguments) texts.push_back(varies ? varying(argument) : argument.text);
    if (const auto infix = infix_operators().find(body.name); infix != infix_operators().end()) {
      return {"(" + texts[0] + " " + infix->second + " " + texts[1] + ")", varies};
    }
    if (body.name == "neg") return {"(-" + texts[0] + ")", varies};
    if (body.name == "lt")
      return {"tensor::select(" + texts[0] + " < " + texts[1] + ", " + one(varies) + ", " + zero(varies) + ")", varies};
    if (body.name == "select")
      return {"tensor::select(" + texts[0] + " != " + zero(varies) + ", " + texts[1] + ", " + texts[2] + ")", varies};
    std::string call = "tensor::" + body.name + "(";
    for (std::size_t i = 0; i < texts.size(); ++i) call += (i == 0 ? "" : ", ") + texts[i];
    return {call + ")", varies};
  }

  static std::string one(bool varies) { return varies ? "tensor::splat(lanes, 1.0f)" : "1.0f"; }
  static std::string zero(bool varies) { return varies ? "tensor::splat(lanes, 0.0f)" : "0.0f"; }

  CodeWriter& out_;
  const schedule::ScheduledOp& op_;
  const StridedNest& nest_;
  const std::vector<OperandCode>& operands_;
  const std::string destination_;
  const std::int64_t lanes_;
};

}  // namespace

void emit_loops(CodeWriter& out, const schedule::ScheduledOp& op, const std::vector<OperandCode>& operands,
                const std::string& destination, std::int64_t lanes) {
  LoopsEmitter(out, op, operands, destination, lanes).run();
}

}  // namespace strata::codegen
