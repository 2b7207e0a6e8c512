// SPDX-License-Identifier: Apache-2.0
#include "cli/explanation.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/explain_html.h"
#include "cli/explain_report.h"
#include "cli/format.h"
#include "cli/tile_tree_html.h"

namespace strata::cli {
namespace {

plan::Op op(int id, const std::string& name, std::int64_t count, plan::Cost cost) {
  plan::Op result;
  result.id = id;
  result.name = name;
  result.function = name.substr(0, name.find('.'));
  result.op = "matmul_nt";
  result.count = count;
  result.form = "contract";
  result.layout = "b<16@0>";
  result.cost = {{}, {cost}};
  return result;
}

plan::Plan example_plan() {
  plan::Plan plan;
  plan.machine = machine::load("avx512-zen5");
  auto fast = op(0, "layer.q_proj", 2, {1e6, 1e5, 1e-6});
  auto slow = op(1, "layer.<odd> & \"name\"", 2, {4e6, 1e5, 4e-6});
  auto view = op(2, "layer.reshape", 2, {});
  auto head = op(3, "head.lm_head", 1, {8e6, 1e5, 8e-6});
  view.form = "view";
  fast.alternatives = {{"row-major", 3e-6}, {"b<8@0>", 2e-6}, {"b<16@0>", 1e-6}};
  plan.entries = {{"forward", "f1", "seq1", {{"seq", {1, 1}}}, 4, {slow}},
                  {"head", "h1", "seq1", {{"seq", {1, 1}}}, 4, {head}},
                  {"forward", "f2", "chunk", {{"seq", {2, 64}}}, 4, {fast, slow, view}}};
  plan.stats.method = "ilp";
  return plan;
}

Explanation measured() {
  auto explanation = explain_plan(example_plan(), "model", 8, 1);
  for (auto& op : explanation.ops) op.measured_s = op.cost.predicted_s * 2;
  explanation.repetitions = 3;
  summarise(explanation);
  return explanation;
}

TEST(ExplainPlan, AStepIsTheForwardPassOfTheRowsAndTheHeadOfOne) {
  auto explanation = explain_plan(example_plan(), "model", 8, 1);
  ASSERT_EQ(explanation.ops.size(), 3U);
  EXPECT_EQ(explanation.ops[0].symbol, "f2");
  EXPECT_EQ(explanation.ops[2].symbol, "h1");
  EXPECT_EQ(explanation.views.size(), 1U);
  EXPECT_EQ(explanation.stats.method, "ilp");
  EXPECT_DOUBLE_EQ(explanation.summary.predicted_s, 2 * 1e-6 + 2 * 4e-6 + 8e-6);
  EXPECT_EQ(explain_plan(example_plan(), "model", 1, 1).ops.size(), 2U);
}

TEST(ExplainPlan, RefusesMoreRowsThanAnyCodeTakes) {
  try {
    explain_plan(example_plan(), "model", 65, 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("1 to 64"), std::string::npos) << error.what();
  }
}

TEST(KeepOnly, FindsAnOpWithAndWithoutItsFunctionAndKeepsTheSummary) {
  for (const char* name : {"layer.q_proj", "q_proj"}) {
    auto explanation = explain_plan(example_plan(), "model", 8, 1);
    keep_only(explanation, name);
    ASSERT_EQ(explanation.ops.size(), 1U);
    EXPECT_EQ(explanation.ops[0].op.name, "layer.q_proj");
    EXPECT_GT(explanation.summary.predicted_s, 10e-6);
  }
}

TEST(KeepOnly, ListsTheNamesWhenThereIsNone) {
  auto explanation = explain_plan(example_plan(), "model", 8, 1);
  for (const char* name : {"nosuch", "proj", "layer."}) {
    try {
      keep_only(explanation, name);
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      EXPECT_NE(std::string(error.what()).find("layer.q_proj, "), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("head.lm_head"), std::string::npos) << error.what();
    }
    explanation = explain_plan(example_plan(), "model", 8, 1);
  }
}

TEST(Summary, ErrorsAreRelativeToTheMeasurement) {
  auto explanation = measured();
  ASSERT_TRUE(explanation.summary.accuracy);
  EXPECT_EQ(explanation.summary.accuracy->ops, 3U);
  EXPECT_DOUBLE_EQ(explanation.summary.accuracy->median_error, 0.5);
  EXPECT_DOUBLE_EQ(explanation.summary.accuracy->rank_correlation, 1);
  EXPECT_DOUBLE_EQ(explanation.summary.measured_s, 2 * explanation.summary.predicted_s);
  EXPECT_FALSE(explain_plan(example_plan(), "model", 8, 1).summary.accuracy);
}

TEST(Median, OfOddAndEvenCounts) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
}

TEST(RankCorrelation, IsSpearmans) {
  EXPECT_DOUBLE_EQ(rank_correlation({1, 2, 3, 4}, {10, 20, 300, 4000}), 1);
  EXPECT_DOUBLE_EQ(rank_correlation({1, 2, 3}, {3, 2, 1}), -1);
  EXPECT_DOUBLE_EQ(rank_correlation({1, 2, 3, 4, 5}, {1, 2, 3, 5, 4}), 0.9);  // 1 - 6 * 2 / (5 * 24)
  EXPECT_DOUBLE_EQ(rank_correlation({1, 1, 2}, {1, 2, 2}), 0.5);              // ranks 1.5 1.5 3 and 1 2.5 2.5
  EXPECT_DOUBLE_EQ(rank_correlation({1, 1}, {1, 2}), 0);
}

TEST(ExplanationJson, HasMeasurementsOnlyWhenMeasured) {
  auto plain = nlohmann::json::parse(explanation_json(explain_plan(example_plan(), "model", 8, 1)));
  EXPECT_FALSE(plain["ops"][0].contains("measured_ns"));
  EXPECT_FALSE(plain["summary"].contains("measured_ns"));
  EXPECT_NEAR(plain["ops"][0]["alternatives"][1]["predicted_ns"].get<double>(), 2000, 1e-6);
  auto with = nlohmann::json::parse(explanation_json(measured()));
  EXPECT_NEAR(with["ops"][0]["measured_ns"].get<double>(), 2000, 1e-6);
  EXPECT_EQ(with["summary"]["repetitions"], 3);
}

TEST(ExplanationMd, NamesTheBestAlternative) {
  std::string text = explanation_md(explain_plan(example_plan(), "model", 8, 1), false);
  EXPECT_NE(text.find("b<8@0>: x2.00"), std::string::npos) << text;
  EXPECT_EQ(text.find("row-major"), std::string::npos);
  EXPECT_NE(explanation_md(explain_plan(example_plan(), "model", 8, 1), true).find("row-major"), std::string::npos);
}

TEST(ExplanationHtml, EscapesNames) {
  std::string page = explanation_html({{measured()}, "", {}});
  EXPECT_EQ(page.find("<odd>"), std::string::npos);
  EXPECT_NE(page.find("layer.&lt;odd&gt; &amp; &quot;name&quot;"), std::string::npos);
}

// Whatever a package says of itself is text, wherever the page shows it.
TEST(ExplanationHtml, EscapesEveryText) {
  Explanation explanation = measured();
  const std::string hostile = "<script x=\"1\">&";
  explanation.model = "model" + hostile;
  explanation.machine.name = "machine" + hostile;
  explanation.machine.description = "description" + hostile;
  explanation.stats.method = "method" + hostile;
  explanation.stats.stop_reason = "stop" + hostile;
  explanation.stats.egraph_nodes = 1;
  explanation.stats.rules = {{"rule" + hostile, 1, 1, 1, 0.5}};
  for (auto& [name, level] : std::vector<std::pair<std::string, std::string*>>{
           {"level", &explanation.machine.memory.at(0).name}, {"unit", &explanation.machine.units.at(0).name}}) {
    *level = name + hostile;
  }
  plan::Op& op = explanation.ops[0].op;
  op.name = "name" + hostile;
  op.op = "op" + hostile;
  op.form = "form" + hostile;
  op.layout = "layout" + hostile;
  op.placement = "placement" + hostile;
  op.alternatives = {{"other" + hostile, 1e-6}};
  op.tree = "serial tree" + hostile + " by 4 in L" + hostile + " {\nleaf leaf" + hostile + "\n}\n";
  op.tiles = {{"best", 1e-6}, {"tiles" + hostile, 2e-6}};
  explanation.stats.regions.resize(1);
  explanation.stats.regions[0].function = "function" + hostile;
  explanation.stats.regions[0].losing = {{true, {"join" + hostile, "side" + hostile}, 1}};
  explanation.arenas = {
      {"version", "arena" + hostile, 128, 64, {"first" + hostile}, {{"buffer" + hostile, 0, 128, 0, 0}}}};
  op.function = "function" + hostile;
  explanation.disturbance = "disturbance" + hostile;
  explanation.ops[0].version = "v1";
  const std::string source = "// @" + op.function + ", v1: predicted\n  // %v0 = code" + hostile +
                             "; predicted 1 us\n  x();\n  team.mark(" + std::to_string(op.id) + ");\n";
  const std::string page = explanation_html({{explanation}, source, {{"machine", "provenance" + hostile}}});
  EXPECT_EQ(page.find("<script x"), std::string::npos);
  EXPECT_EQ(page.find("x=\"1\""), std::string::npos);
  for (const char* text :
       {"model",    "machine", "description", "method",    "stop",   "rule", "level",       "name",
        "op",       "form",    "layout",      "placement", "other",  "tree", "leaf",        "tiles",
        "function", "join",    "side",        "arena",     "buffer", "code", "disturbance", "provenance"}) {
    EXPECT_NE(page.find(text + std::string("&lt;script x=&quot;1&quot;&gt;&amp;")), std::string::npos) << text;
  }
}

TEST(TileTreeHtml, NestsWhatTheTextNests) {
  EXPECT_EQ(tile_tree_html("barrier\nparallel n by 64 {\n  serial k by 512 in L2 {\n    leaf tile panels 4\n  }\n}\n"),
            "<div class=\"tree\"><div class=\"barrier\"><b>barrier</b></div>"
            "<div class=\"parallel\"><b>parallel</b> n by 64"
            "<div class=\"serial\"><i>L2</i><b>serial</b> k by 512"
            "<div class=\"leaf\"><b>leaf</b> tile panels 4</div></div></div></div>");
  EXPECT_EQ(tile_tree_html("when m <= 6 {\n  stage 0 in lanes\n} else {\n  stage 1\n}\n"),
            "<div class=\"tree\"><div class=\"when\"><b>when</b> m &lt;= 6"
            "<div class=\"stage\"><b>stage</b> 0 in lanes</div></div>"
            "<div class=\"stage\"><b>else</b><div class=\"stage\"><b>stage</b> 1</div></div></div>");
}

TEST(TileTreeHtml, IsWellFormedForAnyText) {
  for (const std::string text : {"", "}", "}\n}\n} else {", "{{{\n{", "serial", "a {\nb {\n", " \n\t{"}) {
    const std::string html = tile_tree_html(text);
    const auto count = [&](const std::string& part) {
      std::size_t found = 0;
      for (std::size_t at = html.find(part); at != std::string::npos; at = html.find(part, at + 1)) ++found;
      return found;
    };
    EXPECT_EQ(count("<div"), count("</div>")) << html;
  }
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "serial i by 1 {\n";
  EXPECT_LT(tile_tree_html(deep).size(), deep.size() * 6);
}

TEST(ExplanationHtml, SaysWhatAPackageDoesntKeep) {
  const std::string page = explanation_html({{measured()}, "", {}});
  EXPECT_NE(page.find("Nothing is known of other joins and tiles"), std::string::npos);
  EXPECT_NE(page.find("keep where its buffers lie"), std::string::npos);
}

TEST(ExplanationHtml, ShowsByHowMuchAJoinLost) {
  Explanation explanation = measured();
  explanation.stats.regions.resize(1);
  explanation.stats.regions[0].after_s = 2e-6;
  explanation.stats.regions[0].losing = {{true, {"a + b", "c"}, 2.5e-6}, {false, {"d", "e"}, 2.1e-6}};
  const std::string page = explanation_html({{explanation}, "", {}});
  EXPECT_NE(page.find("joining a + b with c</td><td class=\"n\">+25.00 %"), std::string::npos);
  EXPECT_NE(page.find("parting into d and e</td><td class=\"n\">+5.00 %"), std::string::npos);
}

TEST(FormatMicroseconds, ShowsSmallTimesToo) {
  EXPECT_EQ(format_microseconds(4.2e-8), "0.042");
  EXPECT_EQ(format_microseconds(1.234e-5), "12.34");
  EXPECT_EQ(format_microseconds(1.2345e-2), "12345.0");
}

}  // namespace
}  // namespace strata::cli
