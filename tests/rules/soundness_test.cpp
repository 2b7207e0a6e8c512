// SPDX-License-Identifier: Apache-2.0
// Each rule on random instances of its left side: what it says is equal has equal values.
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "class_values.h"
#include "egraph/runner.h"
#include "rules/algebra.h"
#include "tests/sweep.h"
#include "vectorize/layout_rules.h"

namespace strata::rules {
namespace {

constexpr std::size_t kInstances = 300;  // of each rule
constexpr std::size_t kAllInstances = 1'000;
constexpr int kBatch = 128;      // instances in a graph
constexpr int kBatches = 1'500;  // at most

// Ops that have code for row-major operands only, or as other ops.
const std::set<std::string> kWithoutCandidates = {"vectorize-concat", "vectorize-largest_k", "vectorize-take",
                                                  "vectorize-routed_matmul_nt", "vectorize-routed_rows_matmul_nt"};

struct Case {
  std::string name;
  std::function<egraph::Rewrite(TensorGraph&)> make;
  double tolerance = 0;
  bool rounds = false;    // an operand: the error is relative to the magnitudes that are added up, some of which cancel
  std::size_t alike = 1;  // cases that share the instances
};

double error_of(const ir::Value& value, const ir::Value& expected, const ir::Value& magnitudes) {
  double squares = 0, all = 0;
  for (std::size_t i = 0; i < value.data.size(); ++i) {
    squares += (value.data[i] - expected.data[i]) * (value.data[i] - expected.data[i]);
    all += magnitudes.data[i] * magnitudes.data[i];
  }
  return squares == 0 ? 0 : std::sqrt(squares / all);
}

void expect_equal_values(const TensorGraph& tensors, ClassValues& values, const Case& rule) {
  for (const egraph::ClassId id : tensors.graph().classes()) {
    if (tensors.graph().nodes(id).size() < 2) continue;
    const ir::Value* const expected = values.of(id);
    ASSERT_NE(expected, nullptr) << rule.name;
    for (const egraph::ENode node : tensors.graph().nodes(id)) {
      const auto value = values.of(node, id);
      ASSERT_TRUE(value.has_value()) << rule.name;
      const double error = rule.rounds ? error_of(*value, *expected, *values.of(node, id, true))
                                       : relative_error(value->data, expected->data);
      ASSERT_LE(error, rule.tolerance) << rule.name << ": " << tensors.text(node) << " : " << tensors.type(id).text()
                                       << " beside " << tensors.text(tensors.graph().nodes(id)[0]);
    }
  }
}

// How often the rule taught a graph of random instances something.
std::size_t run_batch(const Case& rule, std::uint64_t seed) {
  TensorGraph tensors;
  Random random(seed);
  const egraph::Rewrite rewrite = rule.make(tensors);
  InstanceWriter writer(tensors, random);
  for (int i = 0; i < kBatch; ++i) (void)writer.write(rewrite);
  tensors.graph().rebuild();
  const std::size_t before = tensors.graph().merge_count();
  const auto report =
      egraph::run(tensors.graph(), {&rewrite, 1}, {.iterations = 1, .nodes = 1'000'000}, {.back_off = false});
  ClassValues values(tensors, writer.limits(), seed);
  expect_equal_values(tensors, values, rule);
  // Of a rule that rewrites a match in several ways, each counts.
  return rewrite.choices ? tensors.graph().merge_count() - before : report.rules[0].applications;
}

void expect_sound(const std::vector<Case>& rules) {
  for (const Case& rule : rules) {
    const std::size_t instances = sweep_size(kInstances, kAllInstances) / rule.alike;
    std::size_t applications = 0;
    int batches = 0;
    while (applications < instances && batches < kBatches && !testing::Test::HasFatalFailure()) {
      applications += run_batch(rule, static_cast<std::uint64_t>(batches++));
    }
    if (testing::Test::HasFatalFailure()) return;
    EXPECT_GE(applications, instances) << rule.name << ", after " << batches << " batches";
  }
}

std::vector<Case> cases_of(const Table& table, double tolerance) {
  std::vector<Case> cases;
  for (const Row& row : expanded(table)) {
    cases.push_back({row.name, [row](TensorGraph& tensors) { return make_rules(tensors, {row})[0]; }, tolerance});
  }
  return cases;
}

// What moves elements is exact: both sides compute the same with each element.
TEST(Soundness, Movement) { expect_sound(cases_of(movement_table(), 0)); }

TEST(Soundness, Elementwise) { expect_sound(cases_of(elementwise_table(), 1e-6)); }

// How many encodings decode to what that of the rule does: such rules differ in the layout's name.
std::size_t encodings_like(const std::string& rule) {
  const encoding::Encoding* const own = InstanceWriter::encoding_of(rule);
  if (own == nullptr) return 1;
  const auto all = encoding::all_encodings();
  return static_cast<std::size_t>(std::ranges::count_if(
      all, [&](const encoding::Encoding* other) { return other->panels.number == own->panels.number; }));
}

// What packs is exact; what rounds an operand changes it by half of bf16's last place at most, or by half of a 127th of
// the largest in its block, of which it may be a quarter.
TEST(Soundness, Layout) {
  const auto machine = machine::load("avx512-zen5");
  TensorGraph names;
  std::vector<Case> cases;
  for (const egraph::Rewrite& rule : vectorize::layout_rules(names, machine)) {
    const auto make = [&machine, number = cases.size()](TensorGraph& tensors) {
      return std::move(vectorize::layout_rules(tensors, machine)[number]);
    };
    const bool rounds = rule.name.starts_with("round-"), to_codes = rule.name.starts_with("round-rows-");
    cases.push_back({rule.name, make, to_codes ? 0x1p-6 : rounds ? 0x1p-8 : 1e-6, rounds, encodings_like(rule.name)});
  }
  std::erase_if(cases, [](const Case& rule) { return kWithoutCandidates.contains(rule.name); });
  expect_sound(cases);
}

// A part of an op computes what the op on parts does, but for the order of its sums.
TEST(Soundness, Slices) {
  TensorGraph names;
  std::vector<Case> cases;
  for (const egraph::Rewrite& rule : slice_rules(names)) {
    const auto make = [number = cases.size()](TensorGraph& tensors) { return std::move(slice_rules(tensors)[number]); };
    cases.push_back({rule.name, make, 1e-6});
  }
  expect_sound(cases);
}

TEST(Soundness, Contraction) { expect_sound(cases_of(contraction_table(), 1e-6)); }

TEST(Soundness, Blocks) { expect_sound(cases_of(blocks_table(), 1e-6)); }

TEST(Soundness, Attention) { expect_sound(cases_of(attention_table(), 1e-6)); }

}  // namespace
}  // namespace strata::rules
