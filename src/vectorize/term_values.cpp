// SPDX-License-Identifier: Apache-2.0
#include "vectorize/term_values.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "base/hash.h"
#include "ir/interpreter.h"
#include "ir/rewrite.h"
#include "ir/text.h"

namespace strata::vectorize {
namespace {

using egraph::ENode;
using egraph::Term;
using egraph::TermId;
using egraph::TermTable;

double rounded(DType dtype, double value) {
  return dtype == DType::kF32 ? static_cast<double>(static_cast<float>(value)) : ir::round_to(dtype, value);
}

}  // namespace

double relative_error(const ir::Value& a, const ir::Value& b) {
  if (a.data.size() != b.data.size()) return std::numeric_limits<double>::infinity();
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < b.data.size(); ++i) {
    const double x = a.data[i], y = b.data[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) {
      norm += std::isfinite(y) ? y * y : 0;
      continue;
    }
    if (!std::isfinite(x) || !std::isfinite(y)) return std::numeric_limits<double>::infinity();
    difference += (x - y) * (x - y);
    norm += y * y;
  }
  return difference == 0 ? 0 : std::sqrt(difference / norm);
}

// Where summands cancel, a sum's relative error is many times theirs; what units of 16 bits make of values of any sign
// stays below some hundredths.
bool differ(const TermValue& a, const TermValue& b) {
  constexpr double kCancelled = 2000;
  constexpr double kMost = 0.1;
  const double allowed = std::min(kMost, kCancelled * std::max(a.roundoff, b.roundoff));
  return !(relative_error(a.value, b.value) <= allowed);
}

// Whole numbers are row numbers and positions: 0 and 1 are inside of everything.
ir::Value TermValues::random_value(const std::string& name, const ir::TensorType& type) const {
  std::mt19937_64 random(hash64(std::as_bytes(std::span(name))));
  ir::Value value{ir::concrete_type(type, {}), {}};
  value.data.resize(static_cast<std::size_t>(ir::max_element_count(value.type.shape)));
  for (double& element : value.data) {
    const double uniform = static_cast<double>(random() >> 11) * 0x1p-53;
    element = is_floating(type.dtype) ? rounded(type.dtype, 6 * uniform - 3) : std::floor(2 * uniform);
  }
  return value;
}

TermValues::Held TermValues::evaluate(const ENode& node, const std::vector<Held>& operands) const {
  const rules::Operator& record = tensors_.operator_of(node);
  const auto given = [](ir::Value value) { return std::make_shared<TermValue>(TermValue{std::move(value)}); };
  if (tensors_.is_leaf(node)) return given(random_value(record.name, record.type));
  if (tensors_.is_get(node)) return given(random_value("get " + std::to_string(node.payload), record.type));
  if (tensors_.is_scalar(node)) {
    const ir::TensorType type = ir::concrete_type(record.type, {});
    return given({type, {rounded(type.dtype, record.value)}});
  }
  const ir::Op* const op = tensors_.op_of(node);
  if (op == nullptr || std::ranges::find(operands, nullptr) != operands.end()) return nullptr;
  std::vector<ir::Value> values;
  std::vector<ir::TensorType> types;
  TermValue made;
  for (const Held& operand : operands) {
    values.push_back(operand->value);
    types.push_back(operand->value.type);
    made.roundoff = std::max(made.roundoff, operand->roundoff);
  }
  made.value.type = op->infer(types, record.attributes);
  made.roundoff = std::max({made.roundoff, op->roundoff(), unit_roundoff(made.value.type.dtype)});
  made.value.data = op->evaluate(values, record.attributes, made.value.type);
  for (double& element : made.value.data) element = ir::round_to(made.value.type.dtype, element);
  return std::make_shared<TermValue>(std::move(made));
}

// Operands are older than what is made of them: the way down ends, and is as deep as the term.
TermValues::Held TermValues::of(egraph::ClassId term) {
  if (const auto known = of_id_.find(term); known != of_id_.end()) return known->second;
  const ENode node = tensors_.graph().proofs()->term(term);
  std::vector<Held> operands;
  for (const egraph::ClassId child : node.children) operands.push_back(of(child));
  return of_id_[term] = evaluate(node, operands);
}

TermValues::Held TermValues::of(const TermTable& terms, TermId term, Known& known) const {
  if (const auto found = known.find(term); found != known.end()) return found->second;
  std::vector<Held> operands;
  for (const TermId child : terms[term].children) operands.push_back(of(terms, child, known));
  return known[term] = evaluate({terms[term].op, terms[term].payload, {}}, operands);
}

std::string TermValues::text(const TermTable& terms, TermId term, int depth) const {
  const ENode node{terms[term].op, terms[term].payload, {}};
  const rules::Operator& record = tensors_.operator_of(node);
  if (tensors_.is_leaf(node)) return record.name;
  if (tensors_.is_scalar(node)) return std::to_string(record.value);
  const ir::Op* const op = tensors_.op_of(node);
  std::string all = op == nullptr ? tensors_.graph().symbols().name(node.op) : op->name();
  if (!record.attributes.empty()) all += ir::to_text(record.attributes);
  if (depth == 0) return all + "(...)";
  std::string operands;
  for (const TermId child : terms[term].children)
    operands += (operands.empty() ? "" : ", ") + text(terms, child, depth - 1);
  return all + "(" + operands + ")";
}

}  // namespace strata::vectorize
