// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "egraph/egraph.h"
#include "egraph/explain.h"
#include "egraph/pattern.h"
#include "egraph/rewrite.h"

namespace strata::egraph {

// A small language of integer arithmetic: add, sub, mul, div, neg, leaves as variables, and num with the number's index
// plus one as its payload.
class Arithmetic {
 public:
  Symbols symbols;

  Payload payload_of(long number) {
    const auto [entry, is_new] = payloads_.emplace(number, static_cast<Payload>(numbers_.size() + 1));
    if (is_new) numbers_.push_back(number);
    return entry->second;
  }
  long number_of(Payload payload) const { return numbers_.at(payload - 1); }
  Symbol num() const { return num_; }

  LiteralResolver literals() {
    return [this](std::string_view text) { return std::pair(num(), payload_of(std::stol(std::string(text)))); };
  }
  ClassId add(EGraph& graph, std::string_view text) { return add_term(graph, text, literals()); }
  Rewrite rule(std::string name, std::string_view lhs, std::string_view rhs, Guard guard = {}) {
    return make_rewrite(symbols, std::move(name), lhs, rhs, std::move(guard), literals());
  }
  std::string payload_text(Symbol op, Payload payload) {
    if (op == num() && payload != 0) return std::to_string(number_of(payload));
    return payload == 0 ? "" : std::to_string(payload);
  }

 private:
  Symbol num_ = symbols.intern("num");
  std::map<long, Payload> payloads_;
  std::vector<long> numbers_;
};

// The value of every class that has one; such classes get the number as a node. That is explained by a step on
// numbers, add(1, 2) = 3, which check() can verify.
class FoldConstants : public Analysis {
 public:
  explicit FoldConstants(Arithmetic& language) : language_(language) {}

  static constexpr const char* kReason = "fold-constants";

  std::optional<long> value(const EGraph& graph, ClassId id) const {
    const auto& known = data_.at(graph.find(id));
    return known ? std::optional(known->value) : std::nullopt;
  }

  bool make(const EGraph& graph, ClassId id, const ENode& node) override {
    if (data_.size() <= id) data_.resize(id + 1);
    if (data_[id]) return false;
    data_[id] = evaluate(graph, node);
    return data_[id].has_value();
  }
  AnalysisMerge merge(const EGraph&, ClassId into, ClassId from) override {
    const AnalysisMerge result{data_[from] && !data_[into], data_[into] && !data_[from]};
    if (data_[from] && data_[into] && data_[from]->value != data_[into]->value) ++contradictions;
    if (result.into_changed) data_[into] = data_[from];
    return result;
  }
  void modify(EGraph& graph, ClassId id) override {
    const auto known = data_[graph.find(id)];
    if (!known || known->op == language_.num()) return;
    std::vector<ClassId> operands;
    for (const long operand : known->operands) operands.push_back(number(graph, operand));
    graph.merge(graph.add(known->op, 0, operands), number(graph, known->value), graph.symbols().intern(kReason));
  }

  // Whether a step of a proof is right arithmetic.
  bool check(const TermTable& terms, const ProofStep& step) {
    const auto number_at = [&](TermId id) -> std::optional<long> {
      if (terms[id].op != language_.num()) return std::nullopt;
      return language_.number_of(terms[id].payload);
    };
    std::vector<long> operands;
    const Term& left = terms[step.forward ? step.before : step.after];
    for (const TermId child : left.children) {
      if (!number_at(child)) return false;
      operands.push_back(*number_at(child));
    }
    return step.rule == kReason && !operands.empty() &&
           compute(left.op, operands) == number_at(step.forward ? step.after : step.before);
  }
  Assume checker() {
    return [this](const TermTable& terms, const ProofStep& step) { return check(terms, step); };
  }

  int contradictions = 0;

 private:
  struct Known {
    long value;
    Symbol op;  // the node that it was computed from: num, or an operator on numbers
    std::vector<long> operands;
  };

  ClassId number(EGraph& graph, long value) { return graph.add(language_.num(), language_.payload_of(value)); }

  std::optional<long> compute(Symbol op, const std::vector<long>& operands) const {
    const std::string& name = language_.symbols.name(op);
    const long a = operands.front();
    const long b = operands.back();
    if (name == "neg") return -a;
    if (name == "add") return a + b;
    if (name == "sub") return a - b;
    if (name == "mul") return a * b;
    return std::nullopt;
  }

  std::optional<Known> evaluate(const EGraph& graph, const ENode& node) const {
    if (node.op == language_.num()) return Known{language_.number_of(node.payload), node.op, {}};
    std::vector<long> operands;
    for (const ClassId child : node.children) {
      const auto operand = value(graph, child);
      if (!operand) return std::nullopt;
      operands.push_back(*operand);
    }
    const auto result = operands.empty() ? std::nullopt : compute(node.op, operands);
    return result ? std::optional(Known{*result, node.op, operands}) : std::nullopt;
  }

  Arithmetic& language_;
  std::vector<std::optional<Known>> data_;
};

}  // namespace strata::egraph
