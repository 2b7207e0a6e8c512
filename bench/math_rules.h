// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>
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

// Computer algebra after the rule set "math" that the e-graph library egg is evaluated on (Willsey et al., 2021):
// sums, products, powers, derivatives and integrals of real functions. Operators: add, sub, mul, div, pow, ln, sqrt,
// sin, cos, d(x, f), i(f, x); num, whose payload is a number's index plus one; other leaves are variables.
class MathLanguage {
 public:
  Symbols symbols;
  const Symbol num = symbols.intern("num");

  Payload payload_of(double number) {
    const auto [entry, is_new] =
        payloads_.emplace(std::bit_cast<std::uint64_t>(number + 0.0), static_cast<Payload>(numbers_.size() + 1));
    if (is_new) numbers_.push_back(number + 0.0);  // -0 becomes 0
    return entry->second;
  }
  double number_of(Payload payload) const { return numbers_.at(payload - 1); }
  LiteralResolver literals() {
    return [this](std::string_view text) { return std::pair(num, payload_of(std::stod(std::string(text)))); };
  }
  ClassId add(EGraph& graph, std::string_view text) { return add_term(graph, text, literals()); }

 private:
  std::map<std::uint64_t, Payload> payloads_;
  std::vector<double> numbers_;
};

// What is known of a class: that it is a number, or the name of one variable in it.
class MathAnalysis : public Analysis {
 public:
  explicit MathAnalysis(MathLanguage& language)
      : language_(language), reason_(language.symbols.intern("fold-constants")) {
    for (const char* name : {"add", "sub", "mul", "div", "pow"}) ops_.push_back(language.symbols.intern(name));
  }

  std::optional<double> value(const EGraph& graph, ClassId id) const { return data_[graph.find(id)].value; }
  std::optional<Symbol> variable(const EGraph& graph, ClassId id) const { return data_[graph.find(id)].variable; }

  bool make(const EGraph& graph, ClassId id, const ENode& node) override {
    if (data_.size() <= id) data_.resize(id + 1);
    Data& data = data_[id];
    const Data before = data;
    if (!data.value) data.value = evaluate(graph, node);
    if (!data.variable && node.children.empty() && node.op != language_.num) data.variable = node.op;
    return data.value.has_value() != before.value.has_value() || data.variable != before.variable;
  }
  AnalysisMerge merge(const EGraph&, ClassId into, ClassId from) override {
    Data& a = data_[into];
    const Data& b = data_[from];
    const AnalysisMerge result{(!a.value && b.value) || (!a.variable && b.variable),
                               (a.value && !b.value) || (a.variable && !b.variable)};
    if (!a.value) a.value = b.value;
    if (!a.variable) a.variable = b.variable;
    return result;
  }
  void modify(EGraph& graph, ClassId id) override {
    const auto number = value(graph, id);
    if (number) graph.merge(id, graph.add(language_.num, language_.payload_of(*number)), reason_);
  }

 private:
  struct Data {
    std::optional<double> value;
    std::optional<Symbol> variable;
  };

  std::optional<double> evaluate(const EGraph& graph, const ENode& node) {
    if (node.op == language_.num) return language_.number_of(node.payload);
    if (node.children.size() != 2) return std::nullopt;
    const auto a = value(graph, node.children[0]);
    const auto b = value(graph, node.children[1]);
    if (!a || !b) return std::nullopt;
    const double result = node.op == ops_[0]   ? *a + *b
                          : node.op == ops_[1] ? *a - *b
                          : node.op == ops_[2] ? *a * *b
                          : node.op == ops_[3] ? *a / *b
                          : node.op == ops_[4] ? std::pow(*a, *b)
                                               : std::nan("");
    return std::isfinite(result) ? std::optional(result) : std::nullopt;
  }

  MathLanguage& language_;
  Symbol reason_;
  std::vector<Symbol> ops_;
  std::vector<Data> data_;
};

// Divisors that aren't known to be 0 count as different from 0, as in the published rules.
inline std::vector<Rewrite> math_rules(MathLanguage& language, const MathAnalysis& analysis) {
  const auto is_nonzero = [&analysis](std::vector<std::string> names) -> Guard {
    return [&analysis, names](EGraph& graph, Match& match) {
      for (const auto& name : names) {
        if (analysis.value(graph, match.class_of(name)) == 0.0) return false;
      }
      return true;
    };
  };
  const Guard is_variable = [&](EGraph& graph, Match& m) {
    return analysis.variable(graph, m.class_of("?x")).has_value();
  };
  const Guard is_constant = [&](EGraph& graph, Match& m) {
    return analysis.value(graph, m.class_of("?c")).has_value();
  };
  const Guard is_independent = [&](EGraph& graph, Match& match) {
    const auto x = analysis.variable(graph, match.class_of("?x"));
    const auto c = analysis.variable(graph, match.class_of("?c"));
    return x && (analysis.value(graph, match.class_of("?c")) || (c && *c != *x));
  };

  struct Row {
    const char* name;
    const char* lhs;
    const char* rhs;
    Guard guard = {};
  };
  const std::vector<Row> rows = {
      {"commute-add", "add(?a, ?b)", "add(?b, ?a)"},
      {"commute-mul", "mul(?a, ?b)", "mul(?b, ?a)"},
      {"associate-add", "add(?a, add(?b, ?c))", "add(add(?a, ?b), ?c)"},
      {"associate-mul", "mul(?a, mul(?b, ?c))", "mul(mul(?a, ?b), ?c)"},
      {"sub-as-add", "sub(?a, ?b)", "add(?a, mul(-1, ?b))"},
      {"div-as-mul", "div(?a, ?b)", "mul(?a, pow(?b, -1))", is_nonzero({"?b"})},
      {"add-zero", "add(?a, 0)", "?a"},
      {"mul-zero", "mul(?a, 0)", "0"},
      {"mul-one", "mul(?a, 1)", "?a"},
      {"into-add-zero", "?a", "add(?a, 0)"},
      {"into-mul-one", "?a", "mul(?a, 1)"},
      {"cancel-sub", "sub(?a, ?a)", "0"},
      {"cancel-div", "div(?a, ?a)", "1", is_nonzero({"?a"})},
      {"distribute", "mul(?a, add(?b, ?c))", "add(mul(?a, ?b), mul(?a, ?c))"},
      {"factor", "add(mul(?a, ?b), mul(?a, ?c))", "mul(?a, add(?b, ?c))"},
      {"pow-product", "mul(pow(?a, ?b), pow(?a, ?c))", "pow(?a, add(?b, ?c))"},
      {"pow-zero", "pow(?a, 0)", "1", is_nonzero({"?a"})},
      {"pow-one", "pow(?a, 1)", "?a"},
      {"pow-two", "pow(?a, 2)", "mul(?a, ?a)"},
      {"pow-reciprocal", "pow(?a, -1)", "div(1, ?a)", is_nonzero({"?a"})},
      {"cancel-reciprocal", "mul(?a, div(1, ?a))", "1", is_nonzero({"?a"})},
      {"derive-variable", "d(?x, ?x)", "1", is_variable},
      {"derive-constant", "d(?x, ?c)", "0", is_independent},
      {"derive-sum", "d(?x, add(?a, ?b))", "add(d(?x, ?a), d(?x, ?b))"},
      {"derive-product", "d(?x, mul(?a, ?b))", "add(mul(?a, d(?x, ?b)), mul(?b, d(?x, ?a)))"},
      {"derive-sin", "d(?x, sin(?x))", "cos(?x)"},
      {"derive-cos", "d(?x, cos(?x))", "mul(-1, sin(?x))"},
      {"derive-ln", "d(?x, ln(?x))", "div(1, ?x)", is_nonzero({"?x"})},
      {"derive-power", "d(?x, pow(?f, ?g))",
       "mul(pow(?f, ?g), add(mul(d(?x, ?f), div(?g, ?f)), mul(d(?x, ?g), ln(?f))))", is_nonzero({"?f", "?g"})},
      {"integrate-one", "i(1, ?x)", "?x"},
      {"integrate-power", "i(pow(?x, ?c), ?x)", "div(pow(?x, add(?c, 1)), add(?c, 1))", is_constant},
      {"integrate-cos", "i(cos(?x), ?x)", "sin(?x)"},
      {"integrate-sin", "i(sin(?x), ?x)", "mul(-1, cos(?x))"},
      {"integrate-sum", "i(add(?f, ?g), ?x)", "add(i(?f, ?x), i(?g, ?x))"},
      {"integrate-difference", "i(sub(?f, ?g), ?x)", "sub(i(?f, ?x), i(?g, ?x))"},
      {"integrate-by-parts", "i(mul(?a, ?b), ?x)", "sub(mul(?a, i(?b, ?x)), i(mul(d(?x, ?a), i(?b, ?x)), ?x))"},
  };
  std::vector<Rewrite> rules;
  for (const Row& row : rows) {
    rules.push_back(make_rewrite(language.symbols, row.name, row.lhs, row.rhs, row.guard, language.literals()));
  }
  return rules;
}

}  // namespace strata::egraph
