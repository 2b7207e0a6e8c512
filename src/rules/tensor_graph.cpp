// SPDX-License-Identifier: Apache-2.0
#include "rules/tensor_graph.h"

#include <bit>

#include "base/error.h"
#include "base/words.h"
#include "encoding/encoding.h"
#include "ir/group_op.h"
#include "ir/text.h"

namespace strata::rules {
namespace {

using egraph::ClassId;
using egraph::ENode;
using ir::TensorType;

std::string attributes_key(const ir::Attributes& attributes) {
  return attributes.empty() ? "" : ir::to_text(attributes);
}

}  // namespace

TensorGraph::TensorGraph(bool explanations)
    : leaf_symbol_(symbols_.intern("leaf")),
      scalar_symbol_(symbols_.intern("scalar")),
      call_symbol_(symbols_.intern("call")),
      get_symbol_(symbols_.intern("get")),
      graph_(symbols_, this, explanations) {
  for (const ir::Op* op : ir::all_ops()) {
    ops_.resize(std::max<std::size_t>(ops_.size(), symbols_.intern(op->name()) + std::size_t{1}));
    ops_[symbols_.intern(op->name())] = op;
  }
  STRATA_CHECK(intern({}, "") == 0, "payload 0 is no attributes");
}

egraph::Payload TensorGraph::intern(Operator record, const std::string& key) {
  const auto [found, is_new] = payloads_.try_emplace(key, static_cast<egraph::Payload>(operators_.size()));
  if (is_new) {
    operators_.push_back(std::move(record));
    leaf_kinds_.push_back(LeafKind::kActivation);
    leaf_elements_.push_back(nullptr);
  }
  return found->second;
}

egraph::Payload TensorGraph::payload(const ir::Attributes& attributes) {
  Operator record;
  record.attributes = attributes;
  return intern(std::move(record), attributes_key(attributes));
}

ClassId TensorGraph::leaf(LeafKind kind, const std::string& name, const TensorType& type, const ir::Expr* origin,
                          const Elements& elements) {
  const egraph::Payload number = intern({{}, name, type, 0, 0, origin}, "leaf " + name);
  STRATA_CHECK(operators_[number].type == type, "two leaves are called " + name);
  leaf_kinds_[number] = kind;
  leaf_elements_[number] = elements;
  return graph_.add(leaf_symbol_, number);
}

ClassId TensorGraph::scalar(double value, DType dtype) {
  const TensorType type{.dtype = dtype};
  const std::string key = "scalar " + std::to_string(std::bit_cast<std::uint64_t>(value)) + type.text();
  return graph_.add(scalar_symbol_, intern({{}, "", type, value, 0, nullptr}, key));
}

ClassId TensorGraph::op(const ir::Op& op, const std::vector<ClassId>& operands, const ir::Attributes& attributes) {
  return graph_.add(symbols_.intern(op.name()), payload(attributes), operands);
}

ClassId TensorGraph::call(const ir::Expr& call, const std::vector<ClassId>& operands) {
  // Two calls of one function are two calls: each works on states of its own.
  const egraph::Payload number = intern({{}, call.callee->name, {}, 0, 0, &call},
                                        "call " + std::to_string(reinterpret_cast<std::uintptr_t>(&call)));
  return graph_.add(call_symbol_, number, operands);
}

ClassId TensorGraph::get(ClassId tuple, std::int64_t index, const TensorType& type) {
  const egraph::Payload number =
      intern({{}, "", type, 0, index, nullptr}, "get " + std::to_string(index) + type.text());
  return graph_.add(get_symbol_, number, std::vector<ClassId>{tuple});
}

const TensorType& TensorGraph::type(ClassId id) const {
  const Facts& known = facts(id);
  STRATA_CHECK(known.types.size() == 1, "a tuple has no type of its own");
  return known.types[0];
}

bool TensorGraph::is_made_by(egraph::ClassId id, std::string_view op) const {
  return std::ranges::any_of(graph_.nodes(id), [&](const egraph::ENode& node) {
    const ir::Op* const made = op_of(node);
    return made != nullptr && made->name() == op;
  });
}

const ir::Op* TensorGraph::op_of(const ENode& node) const { return node.op < ops_.size() ? ops_[node.op] : nullptr; }

std::vector<TensorType> TensorGraph::operand_types(const ENode& node) const {
  std::vector<TensorType> types;
  for (const ClassId child : node.children) types.push_back(type(child));
  return types;
}

std::optional<TensorType> TensorGraph::infer(const ir::Op& op, const std::vector<ClassId>& operands,
                                             const ir::Attributes& attributes) const {
  std::vector<TensorType> types;
  for (const ClassId operand : operands) types.push_back(type(operand));
  try {
    return op.infer(types, attributes);
  } catch (const Error&) {
    return std::nullopt;
  }
}

Elements if_encodable(const encoding::Statistics& statistics) {
  return encoding::is_encodable(statistics) ? std::make_shared<encoding::Statistics>(statistics) : nullptr;
}

// Of a constant that holds the elements of its operands: tensors that are encoded each by itself need not be together.
Elements TensorGraph::joint_elements(const ENode& node, DType dtype) const {
  encoding::Statistics sum;
  for (const ClassId operand : node.children) {
    const Elements& elements = facts(operand).elements;
    if (!elements || type(operand).dtype != dtype) return nullptr;
    sum += *elements;
  }
  return if_encodable(sum);
}

Facts TensorGraph::facts_of(const egraph::EGraph&, const ENode& node) const {
  const Operator& record = operators_[node.payload];
  Facts facts;
  if (is_leaf(node)) {
    facts.types = {record.type};
    facts.is_constant = leaf_kinds_[node.payload] == LeafKind::kConstant;
    facts.is_state = leaf_kinds_[node.payload] == LeafKind::kState;
    facts.elements = leaf_elements_[node.payload];
    return facts;
  }
  if (is_scalar(node)) return {{record.type}, true, false, record.value};
  if (is_get(node)) return {{record.type}, false, false, std::nullopt};
  if (is_call(node)) {
    facts.types = record.origin->types;
    return facts;
  }
  const ir::Op* const op = op_of(node);
  STRATA_CHECK(op != nullptr, "the rules speak of an op that doesn't exist: " + symbols_.name(node.op));
  facts.types = {op->infer(operand_types(node), record.attributes)};
  facts.is_constant = true;
  for (const ClassId child : node.children) facts.is_constant = facts.is_constant && this->facts(child).is_constant;
  // A rank's part has some of them.
  const bool keeps_elements = op->permutes_elements() || (facts.is_constant && ir::group_op(*op) != nullptr);
  if (keeps_elements) facts.elements = joint_elements(node, facts.types[0].dtype);
  const auto aliased = op->aliased_operand();
  const bool keeps_memory = aliased || op->changes_layout();
  facts.is_state = keeps_memory && this->facts(node.children[static_cast<std::size_t>(aliased.value_or(0))]).is_state;
  return facts;
}

bool TensorGraph::make(const egraph::EGraph& graph, ClassId id, const ENode& node) {
  if (facts_.size() <= id) facts_.resize(static_cast<std::size_t>(id) + 1);
  Facts found = facts_of(graph, node);
  Facts& known = facts_[id];
  if (known.types.empty()) {
    known = std::move(found);
    return true;
  }
  STRATA_CHECK(known.types == found.types, "equal expressions of different types: " + text(node) + " and " +
                                               (known.types.empty() ? "" : known.types[0].text()));
  const bool is_news = (found.is_constant && !known.is_constant) || (found.is_state && !known.is_state) ||
                       (found.elements && !known.elements) || (found.scalar && !known.scalar);
  known.is_constant = known.is_constant || found.is_constant;
  known.is_state = known.is_state || found.is_state;
  if (!known.scalar) known.scalar = found.scalar;
  if (!known.elements) known.elements = found.elements;
  return is_news;
}

egraph::AnalysisMerge TensorGraph::merge(const egraph::EGraph&, ClassId into, ClassId from) {
  Facts& a = facts_[into];
  const Facts& b = facts_[from];
  STRATA_CHECK(a.types == b.types, "a rule unites " + (a.types.empty() ? "a tuple" : a.types[0].text()) + " with " +
                                       (b.types.empty() ? "a tuple" : b.types[0].text()));
  const Facts before = a;
  a.is_constant = a.is_constant || b.is_constant;
  a.is_state = a.is_state || b.is_state;
  if (!a.scalar) a.scalar = b.scalar;
  if (!a.elements) a.elements = b.elements;
  const auto differs = [&](const Facts& old) {
    return old.is_constant != a.is_constant || old.is_state != a.is_state || old.elements != a.elements ||
           old.scalar.has_value() != a.scalar.has_value();
  };
  return {differs(before), differs(b)};
}

egraph::LiteralResolver TensorGraph::literals() {
  return [this](std::string_view text) {
    const auto number = number_of<double>(text);
    STRATA_CHECK(number.has_value(), "no number: " + std::string(text));
    const double value = *number;
    const TensorType type{.dtype = DType::kF32};
    const std::string key = "scalar " + std::to_string(std::bit_cast<std::uint64_t>(value)) + type.text();
    return std::pair{scalar_symbol_, intern({{}, "", type, value, 0, nullptr}, key)};
  };
}

std::string TensorGraph::text(const ENode& node) const {
  const Operator& record = operators_[node.payload];
  if (is_leaf(node)) return "%" + record.name + " : " + record.type.text();
  if (is_scalar(node)) return std::to_string(record.value) + " : " + record.type.text();
  std::string out = symbols_.name(node.op);
  if (!record.name.empty()) out += " @" + record.name;
  out += "(";
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    out += (i == 0 ? "c" : ", c") + std::to_string(graph_.find(node.children[i]));
  }
  out += ")";
  if (!record.attributes.empty()) out += " " + ir::to_text(record.attributes);
  return out;
}

}  // namespace strata::rules
