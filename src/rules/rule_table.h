// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/tensor_graph.h"

namespace strata::rules {

// A rule's left side as found in the graph, for conditions. Variables by name, with the "?".
class Matched {
 public:
  Matched(TensorGraph& tensors, egraph::Match& match) : tensors_(tensors), match_(match) {}

  TensorGraph& tensors() const { return tensors_; }
  egraph::ClassId class_of(std::string_view variable) const;
  const ir::TensorType& type(std::string_view variable) const { return tensors_.type(class_of(variable)); }
  const Facts& facts(std::string_view variable) const { return tensors_.facts(class_of(variable)); }
  const ir::Attributes& attributes(std::string_view payload) const;
  std::int64_t integer(std::string_view payload, const std::string& attribute) const;

  // Gives variables of the right side their meaning.
  void bind(std::string_view variable, egraph::ClassId id) { match_.bind(variable, id); }
  void bind_payload(std::string_view payload, const ir::Attributes& attributes);

 private:
  TensorGraph& tensors_;
  egraph::Match& match_;
};

// Rests on facts that stay true when classes merge, and may bind variables that stand only on the right side.
using Condition = std::function<bool(Matched&)>;

// An equality: the left side, wherever it stands, equals the right side. It holds only between tensors that lie in
// row-major order, and only where the right side fits its operands and has the type of the left one; a condition says
// what else it needs. UNARY, BINARY and MATMUL in a row, its name included, stand for each op of that family: the row
// is as many rules.
struct Row {
  std::string name;
  std::string left;
  std::string right;
  Condition condition;
  int condition_depth = 0;  // how many levels below the variables the condition looks; 0: at their facts and ops
};

using Table = std::vector<Row>;

// A row per rule: families written out.
Table expanded(const Table& table);

// The rules of a table; the graph must outlive them.
std::vector<egraph::Rewrite> make_rules(TensorGraph& tensors, const Table& table);

// The names of the family's ops: UNARY and BINARY (what is declared to compute each element of the result from the
// elements at its place), MATMUL (the sums of products). Empty for no family.
std::vector<std::string> family(std::string_view name);

// The family that a row stands for by its name; "" if it is one rule.
std::string_view family_of(std::string_view name);

}  // namespace strata::rules
