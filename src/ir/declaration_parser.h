// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ir/structured.h"

namespace strata::ir {

// A declaration's syntax tree. Iterators are numbered in the order of their first appearance, without those that `...`
// stands for: how many these are depends on the operands' ranks.
struct ParsedTerm;

struct ParsedIndex {
  bool ellipsis = false;
  IndexMap affine;  // over the named iterators; may be shorter than their number
  std::vector<ParsedTerm> terms;

  int bare_iterator() const;  // -1 unless the index is one iterator
};

struct ParsedTerm {
  IndexTerm::Kind kind = IndexTerm::Kind::kIterator;
  std::int64_t coefficient = 1;
  int number = 0;
  std::int64_t divisor = 1;
  int size = -1;  // the divisor, where it is one of the declaration's sizes
  bool is_remainder = false;
  std::vector<ParsedIndex> index = {};
};

struct ParsedBound;

struct ParsedExpr {
  ScalarExpr::Kind kind = ScalarExpr::Kind::kConstant;
  double value = 0;
  int number = 0;
  std::string name;
  std::vector<ParsedIndex> index;
  std::vector<ParsedExpr> arguments;

  Combiner combiner = Combiner::kNone;
  std::vector<int> reduced;
  std::vector<ParsedBound> bounds;
};

struct ParsedBound {
  int iterator = 0;
  bool is_upper = true;
  ParsedExpr value;
};

constexpr int kEllipsis = -1;

struct ParsedStage {
  std::string name;
  std::vector<int> target;  // iterators, kEllipsis for `...`
  Combiner combiner = Combiner::kNone;
  std::vector<int> reduced;
  ParsedExpr body;
  std::vector<ParsedBound> bounds = {};
  std::vector<ParsedIndex> place = {};  // where its target is more than iterators, or an operand
};

struct ParsedDeclaration {
  std::vector<std::string> iterators;
  std::vector<std::string> sizes;  // that divide an iterator, and that the operands determine
  std::vector<ParsedStage> stages;
  int updated = -1;  // the operand that is the last statement's target
};

// Calls visit for every expression of a stage: its body's, and its bounds'.
template <class Visit>
void for_each_part(const ParsedExpr& expr, Visit&& visit) {
  visit(expr);
  for (const ParsedBound& bound : expr.bounds) for_each_part(bound.value, visit);
  for (const ParsedExpr& argument : expr.arguments) for_each_part(argument, visit);
}
template <class Visit>
void for_each_part(const ParsedStage& stage, Visit&& visit) {
  for (const ParsedBound& bound : stage.bounds) for_each_part(bound.value, visit);
  for_each_part(stage.body, visit);
}

// Throws std::logic_error naming what is wrong: declarations are part of the program.
ParsedDeclaration parse_declaration(const std::string& text, const std::vector<std::string>& operands);

// The loops of a declaration on operands of these shapes; see StructuredDeclaration::apply.
LoopNest solve_extents(const ParsedDeclaration& declaration, const std::string& op_name,
                       const std::vector<std::string>& operands, const std::vector<Shape>& shapes);

}  // namespace strata::ir
