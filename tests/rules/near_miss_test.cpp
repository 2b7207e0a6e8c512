// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "egraph/runner.h"
#include "ir/text.h"
#include "machine/machine.h"
#include "near_misses.h"
#include "random_instance.h"
#include "rules/algebra.h"
#include "tests/replaced.h"
#include "vectorize/layout_rules.h"
#include "vectorize/program_graph.h"

namespace strata::rules {
namespace {

// The text with what stands for a placeholder, where it has one.
std::string filled(std::string text, const std::string& placeholder, const std::string& with) {
  return text.find(placeholder) == std::string::npos ? text : replaced(std::move(text), placeholder, with);
}

// The statements for one op of a family.
std::string instance(std::string text, const std::string& op) {
  const bool is_batch = op.starts_with("batch");
  text = filled(std::move(text), "TYPE", is_batch ? "f32[2, 3, 3]" : "f32[6, 6]");
  text = filled(filled(std::move(text), "%A", is_batch ? "%t" : "%q"), "%B", is_batch ? "%u" : "%p");
  text = filled(std::move(text), "OP(", op + "(");
  if (op != "cast") return text;
  const std::size_t end = text.find(')', text.find("cast("));
  return text.insert(end + 1, " {dtype = f32}");
}

ir::Module module_of(const NearMiss& miss, const std::string& op) {
  const std::string statements = instance(miss.statements, op);
  const std::size_t last = statements.rfind("; ");
  const std::size_t start = last == std::string::npos ? 0 : last + 2;
  const std::string result =
      miss.results.empty() ? statements.substr(start, statements.find(' ', start) - start) : miss.results;
  return ir::parse_module("module test {\n  func @main(" + std::string(kActivations) + ") {\n" + kConstants + "    " +
                              filled(statements, "; ", "\n    ") + "\n    return " + result + "\n  }\n}\n",
                          miss.rule);
}

void expect_silent(const NearMiss& miss, const egraph::Rewrite& rule, vectorize::ProgramGraph& program) {
  egraph::EGraph& graph = program.tensors().graph();
  const std::size_t merges = graph.merge_count();
  egraph::run(graph, {&rule, 1});
  EXPECT_EQ(graph.merge_count(), merges) << rule.name << " fires on " << miss.statements;
}

using Covered = std::multiset<std::string>;

// The near-misses of a row, for each op of its family.
void check_row(const Row& row, Covered& covered) {
  for (const NearMiss& miss : near_misses()) {
    if (miss.rule != row.name) continue;
    const Table rules = expanded({row});
    const auto ops = family(family_of(row.name));
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const ir::Module module = module_of(miss, ops.empty() ? "" : ops[i]);
      vectorize::ProgramGraph program({{"all", &module, {"main"}, {{1}}}});
      expect_silent(miss, make_rules(program.tensors(), {rules[i]})[0], program);
      covered.insert(rules[i].name);
    }
  }
}

TEST(NearMiss, AlgebraIsSilent) {
  Covered covered;
  for (const Row& row : algebra_table()) check_row(row, covered);
  for (const Row& row : expanded(algebra_table())) EXPECT_EQ(covered.count(row.name), 1u) << row.name;
}

// What is computed when the package is written needs no lanes: ops on constants keep their layout.
void expect_silent_on_constants(std::size_t number, const machine::Machine& machine) {
  Random random(number);
  TensorGraph tensors;
  const egraph::Rewrite rule = std::move(vectorize::layout_rules(tensors, machine)[number]);
  InstanceWriter writer(tensors, random, {LeafKind::kConstant});
  int written = 0;
  for (int i = 0; i < 40; ++i) written += writer.write(rule).has_value() ? 1 : 0;
  EXPECT_GT(written, 0) << rule.name;
  tensors.graph().rebuild();
  const std::size_t merges = tensors.graph().merge_count();
  egraph::run(tensors.graph(), {&rule, 1});
  EXPECT_EQ(tensors.graph().merge_count(), merges) << rule.name;
}

TEST(NearMiss, LayoutIsSilent) {
  const machine::Machine machine = machine::load("avx512-zen5");
  TensorGraph names;
  const auto rules = vectorize::layout_rules(names, machine);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].name.starts_with("vectorize-")) {
      expect_silent_on_constants(i, machine);
      continue;
    }
    const auto miss = std::ranges::find(near_misses(), rules[i].name, &NearMiss::rule);
    ASSERT_NE(miss, near_misses().end()) << rules[i].name;
    const ir::Module module = module_of(*miss, "");
    vectorize::ProgramGraph program({{"all", &module, {"main"}, {{1}}}});
    expect_silent(*miss, vectorize::layout_rules(program.tensors(), machine)[i], program);
  }
}

// Slices along what an op doesn't make part by part, and of constant matrices.
TEST(NearMiss, SlicesAreSilent) {
  const std::vector<NearMiss> misses = {
      {"slice-of-softmax", "%0 = softmax(%x) : f32[4, 6]; %1 = slice(%0) {axis = 1, begin = 0, end = 3} : f32[4, 3]"},
      {"slice-of-rms_norm",
       "%0 = rms_norm(%x, %v) {eps = 1e-06} : f32[4, 6]; %1 = slice(%0) {axis = 1, begin = 0, end = 3} : f32[4, 3]"},
      {"slice-of-reshape",
       "%0 = reshape(%x) {shape = [24]} : f32[24]; %1 = slice(%0) {axis = 0, begin = 0, end = 4} : f32[4]"},
      {"slice-of-reshape",
       "%0 = reshape(%x) {shape = [2, 2, 6]} : f32[2, 2, 6]; %1 = slice(%0) {axis = 1, begin = 0, end = 1} : f32[2, 1, "
       "6]"},
      {"slice-of-matmul_nt",
       "%0 = matmul_nt(%x, %m) : f32[4, 5]; %1 = slice(%0) {axis = 1, begin = 0, end = 2} : f32[4, 2]"},
      {"slice-of-matmul_nt",
       "%0 = matmul_nt(%x, %m) : f32[4, 5]; %1 = softmax(%0) : f32[4, 5]; %2 = slice(%1) {axis = 0, begin = 1, end = "
       "3} "
       ": f32[2, 5]"},
  };
  for (const NearMiss& miss : misses) {
    const ir::Module module = module_of(miss, "");
    vectorize::ProgramGraph program({{"all", &module, {"main"}, {{1}}}});
    bool is_known = false;
    for (const egraph::Rewrite& rule : slice_rules(program.tensors())) {
      if (rule.name != miss.rule) continue;
      is_known = true;
      expect_silent(miss, rule, program);
    }
    EXPECT_TRUE(is_known) << miss.rule;
  }
}

TEST(Rules, HaveUniqueNames) {
  TensorGraph tensors;
  std::set<std::string> names;
  for (const egraph::Rewrite& rule : algebra_rules(tensors)) EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
  for (const egraph::Rewrite& rule : vectorize::layout_rules(tensors, machine::load("avx512-zen5"))) {
    EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
  }
}

}  // namespace
}  // namespace strata::rules
