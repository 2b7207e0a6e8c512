// SPDX-License-Identifier: Apache-2.0
// All rules together on the program of a real geometry: they must come to an end, in a graph of bounded size.
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/text_file.h"
#include "egraph/runner.h"
#include "ir/rewrite.h"
#include "ir/roles.h"
#include "ir/text.h"
#include "machine/machine.h"
#include "rules/algebra.h"
#include "tests/replaced.h"
#include "vectorize/layout_rules.h"
#include "vectorize/program_graph.h"

namespace strata::rules {
namespace {

// One layer of Qwen3-0.6B, as the importer writes it.
constexpr const char* kQwen3 = R"(module qwen3 {
  symbol seq in 1..512
  symbol ctx in 64..4096 multiple 64
  func @layer(%x: f32[seq, 1024], %cos: f32[seq, 64], %sin: f32[seq, 64], %positions: i32[seq], %k_cache: f32[8, ctx, 128], %v_cache: f32[8, ctx, 128], %n1: f32[1024], %q: T[2048, 1024], %k: T[1024, 1024], %v: T[1024, 1024], %qn: f32[128], %kn: f32[128], %o: T[1024, 2048], %n2: f32[1024], %gate: T[3072, 1024], %up: T[3072, 1024], %down: T[1024, 3072]) {
    %0 = rms_norm(%x, %n1) {eps = 1e-06} : f32[seq, 1024]
    %1 = matmul_nt(%0, %q) : f32[seq, 2048]
    %2 = reshape(%1) {shape = [-1, 16, 128]} : f32[seq, 16, 128]
    %3 = rms_norm(%2, %qn) {eps = 1e-06} : f32[seq, 16, 128]
    %4 = reshape(%3) {shape = [-1, 16, 2, 64]} : f32[seq, 16, 2, 64]
    %5 = rope(%4, %cos, %sin) : f32[seq, 16, 2, 64]
    %6 = reshape(%5) {shape = [-1, 16, 128]} : f32[seq, 16, 128]
    %7 = matmul_nt(%0, %k) : f32[seq, 1024]
    %8 = reshape(%7) {shape = [-1, 8, 128]} : f32[seq, 8, 128]
    %9 = rms_norm(%8, %kn) {eps = 1e-06} : f32[seq, 8, 128]
    %10 = reshape(%9) {shape = [-1, 8, 2, 64]} : f32[seq, 8, 2, 64]
    %11 = rope(%10, %cos, %sin) : f32[seq, 8, 2, 64]
    %12 = reshape(%11) {shape = [-1, 8, 128]} : f32[seq, 8, 128]
    %13 = cache_append(%k_cache, %12, %positions) : f32[8, ctx, 128]
    %14 = matmul_nt(%0, %v) : f32[seq, 1024]
    %15 = reshape(%14) {shape = [-1, 8, 128]} : f32[seq, 8, 128]
    %16 = cache_append(%v_cache, %15, %positions) : f32[8, ctx, 128]
    %17 = attention(%6, %13, %16, %positions) {scale = 0.088} : f32[seq, 16, 128]
    %18 = reshape(%17) {shape = [-1, 2048]} : f32[seq, 2048]
    %19 = matmul_nt(%18, %o) : f32[seq, 1024]
    %20 = add(%x, %19) : f32[seq, 1024]
    %21 = rms_norm(%20, %n2) {eps = 1e-06} : f32[seq, 1024]
    %22 = matmul_nt(%21, %gate) : f32[seq, 3072]
    %23 = silu(%22) : f32[seq, 3072]
    %24 = matmul_nt(%21, %up) : f32[seq, 3072]
    %25 = mul(%23, %24) : f32[seq, 3072]
    %26 = matmul_nt(%25, %down) : f32[seq, 1024]
    %27 = add(%20, %26) : f32[seq, 1024]
    return %27, %13, %16
  }
  func @forward(%tokens: i32[seq], %positions: i32[seq], %k_cache: f32[8, ctx, 128], %v_cache: f32[8, ctx, 128]) {
    %0 = weight "embed" : T[151936, 1024]
    %1 = gather(%0, %tokens) : f32[seq, 1024]
    %2 = weight "frequencies" : f32[64]
    %3 = rope_angles(%positions, %2) : f32[seq, 64]
    %4 = cos(%3) : f32[seq, 64]
    %5 = sin(%3) : f32[seq, 64]
    %6 = weight "n1" : f32[1024]
    %7 = weight "q" : T[2048, 1024]
    %8 = weight "k" : T[1024, 1024]
    %9 = weight "v" : T[1024, 1024]
    %10 = weight "qn" : f32[128]
    %11 = weight "kn" : f32[128]
    %12 = weight "o" : T[1024, 2048]
    %13 = weight "n2" : f32[1024]
    %14 = weight "gate" : T[3072, 1024]
    %15 = weight "up" : T[3072, 1024]
    %16 = weight "down" : T[1024, 3072]
    %17 = call @layer(%1, %4, %5, %positions, %k_cache, %v_cache, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16) : (f32[seq, 1024], f32[8, ctx, 128], f32[8, ctx, 128])
    %18 = get(%17) {index = 0} : f32[seq, 1024]
    %19 = weight "norm" : f32[1024]
    %20 = rms_norm(%18, %19) {eps = 1e-06} : f32[seq, 1024]
    %21 = get(%17) {index = 1} : f32[8, ctx, 128]
    %22 = get(%17) {index = 2} : f32[8, ctx, 128]
    return %20, %21, %22
  }
  func @head(%hidden: f32[seq, 1024]) {
    %0 = weight "embed" : T[151936, 1024]
    %1 = matmul_nt(%hidden, %0) : f32[seq, 151936]
    return %1
  }
}
)";

// The projections of a Qwen2 layer, with their biases.
constexpr const char* kQwen2 = R"(module qwen2 {
  symbol seq in 1..512
  func @main(%x: f32[seq, 896]) {
    %0 = weight "q" : bf16[896, 896]
    %1 = matmul_nt(%x, %0) : f32[seq, 896]
    %2 = weight "qb" : f32[896]
    %3 = add(%1, %2) : f32[seq, 896]
    %4 = weight "k" : bf16[128, 896]
    %5 = matmul_nt(%x, %4) : f32[seq, 128]
    %6 = weight "kb" : f32[128]
    %7 = add(%5, %6) : f32[seq, 128]
    %8 = weight "v" : bf16[128, 896]
    %9 = matmul_nt(%x, %8) : f32[seq, 128]
    %10 = weight "vb" : f32[128]
    %11 = add(%9, %10) : f32[seq, 128]
    return %3, %7, %11
  }
}
)";

std::vector<egraph::Rewrite> all_rules(TensorGraph& tensors, const machine::Machine& machine) {
  std::vector<egraph::Rewrite> rules = algebra_rules(tensors);
  for (egraph::Rewrite& rule : vectorize::layout_rules(tensors, machine)) rules.push_back(std::move(rule));
  return rules;
}

TEST(DecoderLayer, IsSaturatedByAllRules) {
  const machine::Machine machine = machine::load("avx512-zen5");
  for (const std::string dtype : {"f32", "bf16"}) {
    const ir::Module module = ir::parse_module(replaced(kQwen3, "T[", dtype + "["), "the test");
    const ir::Module one = ir::specialise(module, {{"seq", std::int64_t{1}}});
    const ir::Module chunk = ir::specialise(module, {{"seq", ir::Symbol{"seq", 2, 512, 1}}});
    const ir::Module rows = ir::specialise(module, {{"seq", ir::Symbol{"seq", 2, 64, 1}}});
    vectorize::ProgramGraph program(
        {{"seq1", &one, {"forward", "head"}}, {"chunk", &chunk, {"forward"}}, {"rows", &rows, {"head"}}});
    const auto rules = all_rules(program.tensors(), machine);
    const auto report = egraph::run(program.tensors().graph(), rules, {.iterations = 60, .nodes = 100'000});
    EXPECT_EQ(report.stop_reason, egraph::StopReason::kSaturated);
    EXPECT_LE(report.nodes, 20'000u) << dtype;
  }
}

// Searching only what changed must miss nothing: afterwards no rule finds anything in the whole graph.
void expect_closed(egraph::EGraph& graph, const std::vector<egraph::Rewrite>& rules, const std::string& what) {
  const std::size_t nodes = graph.node_count(), classes = graph.class_count(), merges = graph.merge_count();
  const auto report = egraph::run(graph, rules, {.iterations = 2, .nodes = 200'000}, {.incremental = false});
  EXPECT_EQ(report.iterations.size(), 1u) << what;
  EXPECT_EQ(graph.node_count(), nodes) << what;
  EXPECT_EQ(graph.class_count(), classes) << what;
  EXPECT_EQ(graph.merge_count(), merges) << what;
  for (const egraph::RuleReport& rule : report.rules) EXPECT_EQ(rule.applications, 0u) << what << ": " << rule.name;
}

// The same with the graph that searching everything always makes.
void expect_same_saturation(const ir::Module& module, const std::vector<std::string>& entries,
                            const std::string& what) {
  const machine::Machine machine = machine::load("avx512-zen5");
  vectorize::ProgramGraph part({{"all", &module, entries, {{1}}}}), whole({{"all", &module, entries, {{1}}}});
  const auto rules = all_rules(part.tensors(), machine), whole_rules = all_rules(whole.tensors(), machine);
  const egraph::RunnerLimits limits = {.iterations = 60, .nodes = 100'000};
  const auto some = egraph::run(part.tensors().graph(), rules, limits);
  const auto all = egraph::run(whole.tensors().graph(), whole_rules, limits, {.incremental = false});
  ASSERT_EQ(some.stop_reason, egraph::StopReason::kSaturated) << what;
  ASSERT_EQ(all.stop_reason, egraph::StopReason::kSaturated) << what;
  EXPECT_EQ(some.nodes, all.nodes) << what;
  EXPECT_EQ(some.classes, all.classes) << what;
  EXPECT_LE(some.steps, all.steps) << what;
  expect_closed(part.tensors().graph(), rules, what);
}

TEST(MatchingChanges, SaturatesADecoderLayerAlike) {
  for (const std::string dtype : {"f32", "f16", "bf16"}) {
    const ir::Module module = ir::parse_module(replaced(kQwen3, "T[", dtype + "["), "the test");
    expect_same_saturation(module, {"forward", "head"}, dtype);
  }
  expect_same_saturation(ir::parse_module(kQwen2, "the test"), {"main"}, "biases");
}

TEST(MatchingChanges, SaturatesTheCorpusAlike) {
  int modules = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(STRATA_SOURCE_DIR "/fuzz/corpus/ir_text")) {
    if (!file.is_regular_file()) continue;
    std::optional<ir::Module> module;
    try {
      module = ir::parse_module(read_text_file(file.path(), std::size_t{1} << 20), file.path());
      std::vector<std::string> entries;
      const auto counts = ir::call_counts(*module, {});
      for (const auto& function : module->functions()) {
        if (counts.at(function.get()) == 0) entries.push_back(function->name);
      }
      (void)vectorize::ProgramGraph({{"all", &*module, entries, {{1}}}});
      ++modules;
      expect_same_saturation(*module, entries, file.path().filename());
    } catch (const Error&) {  // of the corpus's many texts, those that are modules
    }
  }
  EXPECT_GE(modules, 2);
}

TEST(DecoderLayer, ProjectionsWithBiasesBecomeOne) {
  const ir::Module module = ir::parse_module(kQwen2, "the test");
  vectorize::ProgramGraph program({{"all", &module, {"main"}, {{1}}}});
  const auto rules = algebra_rules(program.tensors());
  const auto report = egraph::run(program.tensors().graph(), rules);
  EXPECT_EQ(report.stop_reason, egraph::StopReason::kSaturated);
  const TensorGraph& tensors = program.tensors();
  for (const auto& result : program.functions()[0].results) {
    bool is_slice_of_all = false;
    for (const egraph::ENode node : tensors.graph().nodes(*result)) {
      if (tensors.op_of(node) != &ir::get_op("slice") || tensors.type(node.children[0]).shape[1] != ir::Dim(1152))
        continue;
      for (const egraph::ENode source : tensors.graph().nodes(node.children[0])) {
        is_slice_of_all |= tensors.op_of(source) == &ir::get_op("add");
      }
    }
    EXPECT_TRUE(is_slice_of_all);
  }
}

}  // namespace
}  // namespace strata::rules
