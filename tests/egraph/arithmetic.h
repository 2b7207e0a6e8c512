// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "egraph/egraph.h"
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
  Symbol num() { return symbols.intern("num"); }

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
  std::map<long, Payload> payloads_;
  std::vector<long> numbers_;
};

// The value of every class that has one; such classes get the number as a node.
class FoldConstants : public Analysis {
 public:
  explicit FoldConstants(Arithmetic& language) : language_(language) {}

  std::optional<long> value(const EGraph& graph, ClassId id) const { return data_.at(graph.find(id)); }

  bool make(const EGraph& graph, ClassId id, const ENode& node) override {
    if (data_.size() <= id) data_.resize(id + 1);
    const std::optional<long> value = evaluate(graph, node);
    if (!value || data_[id]) return false;
    data_[id] = value;
    return true;
  }
  AnalysisMerge merge(const EGraph&, ClassId into, ClassId from) override {
    const bool news = data_[from] && !data_[into];
    const bool differs = data_[into] && !data_[from];
    if (data_[from] && data_[into] && *data_[from] != *data_[into]) ++contradictions;
    if (news) data_[into] = data_[from];
    return {news, differs};
  }
  void modify(EGraph& graph, ClassId id) override {
    const auto value = data_[graph.find(id)];
    if (!value) return;
    const ClassId number = graph.add(language_.num(), language_.payload_of(*value));
    graph.merge(id, number, graph.symbols().intern("fold-constants"));
  }

  int contradictions = 0;

 private:
  std::optional<long> evaluate(const EGraph& graph, const ENode& node) {
    const std::string& op = language_.symbols.name(node.op);
    if (op == "num") return language_.number_of(node.payload);
    if (node.children.empty()) return std::nullopt;
    const auto a = value(graph, node.children.front());
    const auto b = value(graph, node.children.back());
    if (!a || !b) return std::nullopt;
    if (op == "neg") return -*a;
    if (op == "add") return *a + *b;
    if (op == "sub") return *a - *b;
    if (op == "mul") return *a * *b;
    return std::nullopt;
  }

  Arithmetic& language_;
  std::vector<std::optional<long>> data_;
};

}  // namespace strata::egraph
