// SPDX-License-Identifier: Apache-2.0
// What the page of `strata explain` says in words and figures.
#include <gtest/gtest.h>

#include "cli/explain_report.h"
#include "cli/generated_code.h"
#include "cli/headline.h"
#include "cli/layer_html.h"
#include "cli/op_limits.h"
#include "cli/op_table_html.h"
#include "cli/steadiness.h"

namespace strata::cli {
namespace {

// A machine of round figures: memory of 10 GB/s, a unit of 100 GFLOP/s.
machine::Machine round_machine() {
  machine::Machine machine;
  machine.name = "round";
  machine.memory = {{.name = "cache", .capacity_bytes = 1 << 20, .read_bytes_per_s = {{1, 1e11}}},
                    {.name = "DRAM", .capacity_bytes = std::int64_t{1} << 32, .read_bytes_per_s = {{1, 1e10}}}};
  machine.units = {{.name = "fma", .ops_per_s = 1e11}};
  return machine;
}

ExplainedOp explained(const std::string& name, std::vector<std::string> operands, const std::string& type,
                      plan::Cost cost) {
  ExplainedOp op;
  op.op.name = name;
  op.op.function = name.substr(0, name.find('.'));
  op.op.op = "matmul_nt";
  op.op.operands = std::move(operands);
  op.op.type = type;
  op.cost = cost;
  return op;
}

ExplainedOp weights_op() {  // 900 of 1000 us at the memory's speed
  return explained("layer.q_proj", {"f32[1, 100]", "f32[100, 100]<16@0>"}, "f32[1, 100]", {1e3, 9e6, 1e-3});
}

Explanation step_of(std::vector<ExplainedOp> ops, std::int64_t rows = 1) {
  Explanation step;
  step.model = "model";
  step.machine = round_machine();
  step.rows = rows;
  step.ops = std::move(ops);
  summarise(step);
  return step;
}

Limit limit_of(const ExplainedOp& op) { return limits_of(op, step_of({op})).limit; }

TEST(OpLimits, TellWhatTheTimeIsSpentOn) {
  EXPECT_EQ(limit_of(weights_op()), Limit::kWeights);
  EXPECT_EQ(limit_of(explained("layer.attention", {"f32[1, 4]", "f32[2, ctx, 4]"}, "f32[1, 4]", {1e3, 9e6, 1e-3})),
            Limit::kContext);
  EXPECT_EQ(limit_of(explained("layer.norm", {"f32[seq, 64]"}, "f32[seq, 64]", {1e3, 9e6, 1e-3})), Limit::kMemory);
  EXPECT_EQ(limit_of(explained("layer.gate", {"f32[seq, 64]", "f32[128, 64]"}, "f32[seq, 128]", {9e7, 1e3, 1e-3})),
            Limit::kArithmetic);
  EXPECT_EQ(limit_of(explained("layer.sin", {"f32[1, 16]"}, "f32[1, 16]", {16, 64, 1e-6})), Limit::kOther);
}

// What takes less time than its bytes from memory has them from a cache.
TEST(OpLimits, AreOfTheLevelThatTheTimeAllows) {
  const auto from = [](double bytes) {
    const ExplainedOp op = explained("layer.norm", {"f32[seq, 64]"}, "f32[seq, 64]", {0, bytes, 1e-3});
    const Explanation step = step_of({op});
    return limits_of(op, step).level->name;
  };
  EXPECT_EQ(from(1e7), "DRAM");
  EXPECT_EQ(from(5e7), "cache");
}

TEST(Headline, SaysTheRateAndWhy) {
  Explanation step = step_of({weights_op()});
  Headline headline = headline_of(step);
  EXPECT_EQ(headline.rate, "1,000");
  EXPECT_EQ(headline.unit, "tokens/s, predicted");
  EXPECT_EQ(headline.sentence, "100\u00a0% of the time reads weights, at 0.90 of the memory's bandwidth.");
  step.ops[0].measured_s = 2e-3;
  step.repetitions = 7;
  summarise(step);
  headline = headline_of(step);
  EXPECT_EQ(headline.rate, "500");
  EXPECT_EQ(headline.unit, "tokens/s, measured");
  EXPECT_EQ(headline.sentence, "100\u00a0% of the time reads weights, at 0.45 of the memory's bandwidth.");
}

TEST(Headline, NamesWhatElseTakesATenth) {
  const auto other = explained("head.sin", {"f32[1, 16]"}, "f32[1, 16]", {16, 64, 2.5e-4});
  EXPECT_EQ(
      headline_of(step_of({weights_op(), other}, 512)).sentence,
      "80\u00a0% of the time reads weights, at 0.90 of the memory's bandwidth; 20\u00a0% is short loops, starting "
      "and waiting.");
  EXPECT_EQ(headline_of(step_of({weights_op(), other}, 512)).rate, "409,600");
}

// The boxes of a function's ops fill it, in their order.
TEST(LayerHtml, AreasAreTimes) {
  const std::string html = layer_html(step_of({weights_op(), weights_op(), weights_op(), weights_op()}));
  std::size_t at = 0;
  double area = 0, row = 0;
  for (int op = 0; op < 4; ++op) {
    const std::size_t height = html.rfind("<div style=\"height:", html.find("#decoding-" + std::to_string(op)));
    ASSERT_NE(height, std::string::npos) << html;
    row = std::stod(html.substr(height + 19));
    const std::size_t next = html.find("#decoding-" + std::to_string(op), at);
    ASSERT_NE(next, std::string::npos) << html;
    area += row / 100 * std::stod(html.substr(html.find("width:", next) + 6)) / 100;
    at = next;
    EXPECT_NEAR(area, 0.25 * (op + 1), 1e-3);
  }
}

TEST(OpTableHtml, HasTheSlowestFirst) {
  auto fast = weights_op();
  fast.op.name = "layer.fast";
  fast.cost.predicted_s = 1e-6;
  const std::string html = op_table_html(step_of({fast, weights_op()}), "");
  EXPECT_LT(html.find("#decoding-1"), html.find("#decoding-0")) << html;
}

TEST(GeneratedCode, IsThatOfTheOp) {
  const std::string source =
      "// @layer, seq1: predicted\nvoid f() {\n  // %v0 = a() : f32[1]; predicted 1 us\n  {\n    one();\n  }\n"
      "  // %v1 = b() : f32[1], a view\n  team.mark(1);\n  // %v2 = c() : f32[1]; predicted 1 us\n  two();\n"
      "  team.mark(2);\n}\n// @layer, chunk: predicted\n  // %v0 = a() : f32[1]; predicted 1 us\n  three();\n"
      "  team.mark(1);\n";
  EXPECT_EQ(generated_code(source, "layer", "seq1", 1),
            "// %v0 = a() : f32[1]; predicted 1 us\n{\n  one();\n}\n// %v1 = b() : f32[1], a view\n");
  EXPECT_EQ(generated_code(source, "layer", "seq1", 2), "// %v2 = c() : f32[1]; predicted 1 us\ntwo();\n");
  EXPECT_EQ(generated_code(source, "layer", "chunk", 1), "// %v0 = a() : f32[1]; predicted 1 us\nthree();\n");
  for (const char* none : {"seq", "seq1x", ""}) EXPECT_EQ(generated_code(source, "layer", none, 1), "");
  EXPECT_EQ(generated_code(source, "layer", "chunk", 2), "");
  EXPECT_EQ(generated_code("", "layer", "chunk", 2), "");
}

TEST(Steadiness, TellsADisturbedMachine) {
  const std::vector<double> even(20, 1e-3);
  EXPECT_FALSE(is_disturbed(steadiness_of(even, 0)));
  EXPECT_EQ(disturbance_text(steadiness_of(even, 0)), "");
  std::vector<double> once = even;  // one slow run of twenty is no disturbance
  once[3] = 1;
  EXPECT_FALSE(is_disturbed(steadiness_of(once, 2)));
  std::vector<double> often = even;
  for (std::size_t i = 0; i < often.size(); i += 4) often[i] = 2e-3;
  EXPECT_TRUE(is_disturbed(steadiness_of(often, 0)));
  EXPECT_TRUE(is_disturbed(steadiness_of(even, 15)));
  EXPECT_EQ(disturbance_text(steadiness_of(often, 3)),
            "The machine was disturbed while measuring: a step took 1.000 ms to 2.000 ms (median 1.000 ms), and other "
            "programs took a processor 3 times in 20 steps. Measure again when it is quiet.");
}

TEST(Steadiness, IsInTheText) {
  Explanation step = step_of({weights_op()});
  step.repetitions = 7;
  step.disturbance = "The machine was disturbed";
  EXPECT_NE(explanation_md(step, false).find("\nThe machine was disturbed\n"), std::string::npos);
  EXPECT_NE(explanation_json(step).find("\"disturbance\": \"The machine was disturbed\""), std::string::npos);
}

}  // namespace
}  // namespace strata::cli
