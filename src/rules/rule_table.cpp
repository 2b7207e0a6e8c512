// SPDX-License-Identifier: Apache-2.0
#include "rules/rule_table.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace strata::rules {
namespace {

using egraph::Pattern;
using egraph::PatternNode;

constexpr std::array<std::string_view, 3> kFamilies = {"UNARY", "BINARY", "MATMUL"};

bool is_bare(const std::vector<ir::IndexMap>& access) {
  for (std::size_t axis = 0; axis < access.size(); ++axis) {
    ir::IndexMap bare{std::vector<std::int64_t>(access.size(), 0), 0, {}};
    bare.coefficients[axis] = 1;
    if (access[axis] != bare) return false;
  }
  return true;
}

// Whether the loops on two axes read each operand just where they write.
bool is_elementwise(const ir::Op& op) {
  const std::vector<ir::TensorType> operands(static_cast<std::size_t>(op.arity()), {DType::kF32, {2, 3}});
  try {
    const auto nest = op.loops(operands, {});
    if (!nest || nest->stages.size() != 1 || !ir::is_plain(*nest) || nest->result().combiner != ir::Combiner::kNone)
      return false;
    return std::ranges::all_of(ir::operand_accesses(nest->result().body),
                               [](const ir::ScalarExpr* access) { return is_bare(access->index); });
  } catch (const Error&) {
    return false;
  }
}

// The type of a right side; nothing where an op doesn't fit its operands.
std::optional<ir::TensorType> type_of(const TensorGraph& tensors, const Pattern& pattern, const egraph::Match& match) {
  std::vector<ir::TensorType> types;
  for (const PatternNode& node : pattern.nodes) {
    if (node.kind == PatternNode::Kind::kVariable) {
      types.push_back(tensors.type(match.classes[node.variable]));
      continue;
    }
    const egraph::ENode shell{node.op, node.fixed_payload ? node.payload : match.payloads[node.payload], {}};
    if (tensors.is_scalar(shell)) {
      types.push_back(tensors.operator_of(shell).type);
      continue;
    }
    std::vector<ir::TensorType> operands;
    for (const std::uint32_t child : node.children) operands.push_back(types[child]);
    try {
      types.push_back(tensors.op_of(shell)->infer(operands, tensors.attributes(shell.payload)));
    } catch (const Error&) {
      return std::nullopt;
    }
  }
  return types.back();
}

bool is_row_major(const TensorGraph& tensors, const egraph::Match& match, const egraph::Variables& variables) {
  for (std::size_t i = 0; i < match.classes.size(); ++i) {
    if (match.classes[i] == egraph::kNoId || variables.classes[i].empty()) continue;
    if (!tensors.type(match.classes[i]).layout.is_row_major()) return false;
  }
  return true;
}

bool fits(const TensorGraph& tensors, const egraph::MultiPattern& right, const egraph::Match& match) {
  for (std::size_t i = 0; i < right.patterns.size(); ++i) {
    const auto type = type_of(tensors, right.patterns[i], match);
    if (!type || *type != tensors.type(match.classes[right.roots[i]])) return false;
  }
  return true;
}

egraph::Rewrite make_rule(TensorGraph& tensors, const Row& row) {
  egraph::Guard condition;
  if (row.condition) {
    condition = [&tensors, holds = row.condition](egraph::EGraph&, egraph::Match& match) {
      Matched matched(tensors, match);
      return holds(matched);
    };
  }
  egraph::Rewrite rule = egraph::make_rewrite(tensors.symbols(), row.name, row.left, row.right, condition,
                                              tensors.literals(), row.condition_depth);
  // Types never change: asking for them too makes no match depend on more of the graph.
  rule.guard = [&tensors, condition, right = rule.rhs, variables = rule.variables](egraph::EGraph& graph,
                                                                                   egraph::Match& match) {
    return is_row_major(tensors, match, variables) && (!condition || condition(graph, match)) &&
           fits(tensors, right, match);
  };
  return rule;
}

// A row's text for one op of its family.
std::string instance(std::string text, std::string_view family, std::string_view op) {
  for (std::size_t at = text.find(family); at != std::string::npos; at = text.find(family, at + op.size())) {
    text.replace(at, family.size(), op);
  }
  return text;
}

}  // namespace

egraph::ClassId Matched::class_of(std::string_view variable) const {
  return tensors_.graph().find(match_.class_of(variable));
}

const ir::Attributes& Matched::attributes(std::string_view payload) const {
  return tensors_.attributes(match_.payload_of(payload));
}

std::int64_t Matched::integer(std::string_view payload, const std::string& attribute) const {
  return std::get<std::int64_t>(attributes(payload).at(attribute));
}

void Matched::bind_payload(std::string_view payload, const ir::Attributes& attributes) {
  match_.bind_payload(payload, tensors_.payload(attributes));
}

Table expanded(const Table& table) {
  Table rows;
  for (const Row& row : table) {
    const std::string_view name = family_of(row.name);
    if (name.empty()) rows.push_back(row);
    for (const std::string& op : name.empty() ? std::vector<std::string>{} : family(name)) {
      rows.push_back({instance(row.name, name, op), instance(row.left, name, op), instance(row.right, name, op),
                      row.condition, row.condition_depth});
    }
  }
  return rows;
}

std::vector<egraph::Rewrite> make_rules(TensorGraph& tensors, const Table& table) {
  std::vector<egraph::Rewrite> rules;
  for (const Row& row : expanded(table)) rules.push_back(make_rule(tensors, row));
  return rules;
}

std::vector<std::string> family(std::string_view name) {
  if (name == "MATMUL") return {"batch_matmul", "batch_matmul_nt", "matmul", "matmul_nt", "matmul_tn"};
  std::vector<std::string> names;
  for (const ir::Op* op : ir::all_ops()) {
    const bool is_moved = op->arity() == (name == "UNARY" ? 1 : 2) && !op->is_permitted_by_reader();
    if (is_moved && is_elementwise(*op)) names.push_back(op->name());
  }
  return names;
}

std::string_view family_of(std::string_view name) {
  for (const std::string_view known : kFamilies) {
    if (name.find(known) != std::string_view::npos) return known;
  }
  return "";
}

}  // namespace strata::rules
