// SPDX-License-Identifier: Apache-2.0
#include "codegen/score_code.h"

#include <map>

#include "base/error.h"
#include "codegen/code_writer.h"
#include "ir/bounds.h"
#include "ir/op.h"

namespace strata::codegen {
namespace {

using ScalarKind = ir::ScalarExpr::Kind;

ir::AttentionForm form_of(const ir::Expr& value) {
  std::vector<ir::TensorType> types;
  for (const ir::Expr* argument : value.arguments) types.push_back(argument->type());
  const auto loops = value.op->loops(types, value.attributes);
  const auto form = loops ? ir::attention_form(*loops) : std::nullopt;
  STRATA_CHECK(form.has_value(), value.op->name() + " is no attention");
  return *form;
}

std::string between(const std::string& a, const std::string& op, const std::string& b) {
  return "(" + a + " " + op + " " + b + ")";
}

}  // namespace

ScoreCode::ScoreCode(const ir::Expr& value, std::vector<std::string> operands)
    : value_(value), operands_(std::move(operands)), form_(form_of(value)) {}

std::string ScoreCode::factor() const {
  return cpp_float(form_.factor ? ir::number_of(*value_.op, value_.attributes, *form_.factor) : 1.0);
}

std::string ScoreCode::map() const {
  if (form_.score.kind == ScalarKind::kReduce) return "tensor::Unchanged{}";
  return "[](auto x) { return " + scalar(form_.score) + "; }";
}

std::string ScoreCode::seen() const {
  std::string begin = "0";
  const auto shape = [&](int operand) { return value_.arguments[static_cast<std::size_t>(operand)]->type().shape; };
  std::string end =
      cpp_size(form_.pages ? shape(form_.pages->numbers).back() * ir::Dim(form_.pages->size) : shape(form_.keys)[1]);
  for (const ir::Bound& bound : form_.bounds) {
    if (bound.is_upper) {
      end = integer(bound.value) + " + 1";
    } else {
      begin = integer(bound.value);
    }
  }
  return "[=](std::int64_t s) { return tensor::Range{" + begin + ", " + end + "}; }";
}

std::string ScoreCode::scalar(const ir::ScalarExpr& body) const {
  static const std::map<std::string, std::string> kInfix = {{"add", "+"}, {"sub", "-"}, {"mul", "*"}, {"div", "/"}};
  if (body.kind == ScalarKind::kReduce) return "x";
  if (body.kind != ScalarKind::kCall) return cpp_float(ir::number_of(*value_.op, value_.attributes, body));
  if (const auto infix = kInfix.find(body.name); infix != kInfix.end()) {
    return between(scalar(body.arguments[0]), infix->second, scalar(body.arguments[1]));
  }
  if (body.name == "neg") return "(-" + scalar(body.arguments[0]) + ")";
  std::string arguments;
  for (const ir::ScalarExpr& argument : body.arguments) arguments += (arguments.empty() ? "" : ", ") + scalar(argument);
  return "tensor::" + body.name + "(" + arguments + ")";
}

// Of a bound: reads of one element for each query, and numbers.
std::string ScoreCode::integer(const ir::ScalarExpr& body) const {
  if (body.kind == ScalarKind::kOperand)
    return "std::int64_t(" + operands_[static_cast<std::size_t>(body.number)] + "[s])";
  if (body.kind == ScalarKind::kCall) {
    return between(integer(body.arguments[0]), body.name == "add" ? "+" : "-", integer(body.arguments[1]));
  }
  return std::to_string(static_cast<std::int64_t>(ir::number_of(*value_.op, value_.attributes, body)));
}

}  // namespace strata::codegen
