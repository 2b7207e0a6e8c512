// SPDX-License-Identifier: Apache-2.0
#include "ir/structured.h"

#include <algorithm>

#include "base/error.h"
#include "ir/declaration_parser.h"

namespace strata::ir {

Shape LoopNest::result_shape() const {
  Shape shape;
  for (const int i : result().target) shape.push_back(iterators[i].extent);
  return shape;
}

std::vector<IndexRange> footprint(const std::vector<AffineIndex>& access, const std::vector<IndexRange>& tile) {
  std::vector<IndexRange> box;
  for (const AffineIndex& index : access) {
    STRATA_CHECK(index.coefficients.size() <= tile.size(), "the tile has too few iterators");
    IndexRange range{index.constant, index.constant};
    for (std::size_t i = 0; i < index.coefficients.size(); ++i) {
      const std::int64_t c = index.coefficients[i];
      range.min += c * (c >= 0 ? tile[i].min : tile[i].max);
      range.max += c * (c >= 0 ? tile[i].max : tile[i].min);
    }
    box.push_back(range);
  }
  return box;
}

std::vector<const ScalarExpr*> operand_accesses(const ScalarExpr& body) {
  std::vector<const ScalarExpr*> accesses;
  if (body.kind == ScalarExpr::Kind::kOperand) accesses.push_back(&body);
  for (const ScalarExpr& argument : body.arguments) {
    for (const ScalarExpr* access : operand_accesses(argument)) accesses.push_back(access);
  }
  return accesses;
}

namespace {

std::int64_t count_calls(const ScalarExpr& body) {
  std::int64_t calls = body.kind == ScalarExpr::Kind::kCall ? 1 : 0;
  for (const ScalarExpr& argument : body.arguments) calls += count_calls(argument);
  return calls;
}

void collect_attributes(const ParsedExpr& expr, std::vector<std::string>& names) {
  const bool is_attribute = expr.kind == ScalarExpr::Kind::kAttribute;
  if (is_attribute && std::find(names.begin(), names.end(), expr.name) == names.end()) names.push_back(expr.name);
  for (const ParsedExpr& argument : expr.arguments) collect_attributes(argument, names);
}

}  // namespace

std::int64_t operations_per_point(const Stage& stage) {
  return count_calls(stage.body) + (stage.combiner == Combiner::kNone ? 0 : 1);
}

struct StructuredDeclaration::Parsed {
  ParsedDeclaration declaration;
};

StructuredDeclaration::StructuredDeclaration(std::string text, std::vector<std::string> operands)
    : text_(std::move(text)), operands_(std::move(operands)) {
  parsed_ = std::make_unique<Parsed>(Parsed{parse_declaration(text_, operands_)});
  for (const ParsedStage& stage : parsed_->declaration.stages) collect_attributes(stage.body, attributes_);
}

StructuredDeclaration::~StructuredDeclaration() = default;
StructuredDeclaration::StructuredDeclaration(StructuredDeclaration&&) noexcept = default;

LoopNest StructuredDeclaration::apply(const std::string& op_name, const std::vector<Shape>& operand_shapes) const {
  return solve_extents(parsed_->declaration, op_name, operands_, operand_shapes);
}

}  // namespace strata::ir
