// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ir/structured.h"

namespace strata::ir {

// A declaration's syntax tree. Iterators are numbered in the order of their first appearance, without those that `...`
// stands for: how many these are depends on the operands' ranks.
struct ParsedIndex {
  bool ellipsis = false;
  AffineIndex affine;  // over the named iterators; may be shorter than their number

  int bare_iterator() const;  // -1 unless the index is one iterator
};

struct ParsedExpr {
  ScalarExpr::Kind kind = ScalarExpr::Kind::kConstant;
  double value = 0;
  int number = 0;
  std::string name;
  std::vector<ParsedIndex> index;
  std::vector<ParsedExpr> arguments;
};

struct ParsedStage {
  std::string name;
  std::vector<int> target;  // iterators, kEllipsis for `...`
  Combiner combiner = Combiner::kNone;
  std::vector<int> reduced;
  ParsedExpr body;
};

constexpr int kEllipsis = -1;

struct ParsedDeclaration {
  std::vector<std::string> iterators;
  std::vector<ParsedStage> stages;
};

// Throws std::logic_error naming what is wrong: declarations are part of the program.
ParsedDeclaration parse_declaration(const std::string& text, const std::vector<std::string>& operands);

// The loops of a declaration on operands of these shapes; see StructuredDeclaration::apply.
LoopNest solve_extents(const ParsedDeclaration& declaration, const std::string& op_name,
                       const std::vector<std::string>& operands, const std::vector<Shape>& shapes);

}  // namespace strata::ir
