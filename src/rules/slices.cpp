// SPDX-License-Identifier: Apache-2.0
// A slice of what an op makes, as the op on slices: what nobody asks for is not computed. That the op makes each part
// of an axis by itself follows from its index maps.
#include "ir/slices.h"

#include <algorithm>

#include "base/error.h"
#include "ir/group_op.h"
#include "rules/algebra.h"

namespace strata::rules {
namespace {

using egraph::EGraph;
using egraph::Match;
using ir::TensorType;

// Elementwise ops, slices and concatenations have rows of their own (movement.cpp).
bool has_rows(const ir::Op& op) {
  const auto among = [&](const char* names) { return std::ranges::count(family(names), op.name()) > 0; };
  return among("UNARY") || among("BINARY") || op.name() == "slice" || op.name() == "concat";
}

bool is_moved_past(const ir::Op& op) {
  const bool is_of_ranks = ir::group_op(op) != nullptr;
  return !op.changes_layout() && !op.writes_alias() && !op.is_permitted_by_reader() && !has_rows(op) && !is_of_ranks;
}

std::string number(const char* variable, int i) { return variable + std::to_string(i); }

// "rope{?p}(?x0, ?x1, ?x2)", with slices of the operands "rope{?p}(slice{?q0}(?x0), ...)".
std::string pattern(const ir::Op& op, bool is_sliced) {
  std::string operands;
  for (int i = 0; i < op.arity(); ++i) {
    const std::string operand = number("?x", i);
    operands += i == 0 ? "" : ", ";
    operands += is_sliced ? "slice{" + number("?q", i) + "}(" + operand + ")" : operand;
  }
  return op.name() + "{?p}(" + operands + ")";
}

// The type of the op on the slices; nothing where they don't fit it.
std::optional<TensorType> type_of(const ir::Op& op, std::vector<TensorType> operands, const ir::Attributes& attributes,
                                  const ir::OperandSlices& slices) {
  try {
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (slices[i]) operands[i] = ir::get_op("slice").infer({{operands[i]}}, *slices[i]);
    }
    return op.infer(operands, attributes);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Binds the payloads ?q0... of the operands' slices. Of constants only vectors are sliced: which columns of a matrix
// are multiplied is for the rules of products.
egraph::Guard binds_slices(TensorGraph& tensors, const ir::Op& op) {
  return [&tensors, &op](EGraph&, Match& match) {
    std::vector<TensorType> types;
    for (int i = 0; i < op.arity(); ++i) types.push_back(tensors.type(match.class_of(number("?x", i))));
    const TensorType& sliced = tensors.type(match.class_of("?r"));
    const bool is_plain = sliced.layout.is_row_major() &&
                          std::ranges::all_of(types, [](const TensorType& t) { return t.layout.is_row_major(); });
    if (!is_plain) return false;
    const ir::Attributes& attributes = tensors.attributes(match.payload_of("?p"));
    const auto slices = ir::operand_slices(op, types, attributes, op.infer(types, attributes),
                                           tensors.attributes(match.payload_of("?s")));
    if (!slices || type_of(op, types, attributes, *slices) != sliced) return false;
    for (int i = 0; i < op.arity(); ++i) {
      const auto& slice = (*slices)[static_cast<std::size_t>(i)];
      const Facts& facts = tensors.facts(match.class_of(number("?x", i)));
      if (slice && facts.is_constant && types[static_cast<std::size_t>(i)].rank() > 1) return false;
      match.bind_payload(number("?q", i), slice ? tensors.payload(*slice) : egraph::kIdentity);
    }
    return true;
  };
}

}  // namespace

std::vector<egraph::Rewrite> slice_rules(TensorGraph& tensors) {
  std::vector<egraph::Rewrite> rules;
  for (const ir::Op* op : ir::all_ops()) {
    if (!is_moved_past(*op)) continue;
    rules.push_back(egraph::make_rewrite(tensors.symbols(), "slice-of-" + op->name(),
                                         "?r = slice{?s}(" + pattern(*op, false) + ")", "?r = " + pattern(*op, true),
                                         binds_slices(tensors, *op)));
  }
  return rules;
}

}  // namespace strata::rules
