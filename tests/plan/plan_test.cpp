// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace strata::plan {
namespace {

using nlohmann::json;

// flops = 2 seq ctx.
CostTable bilinear() {
  CostTable table;
  table.axes = {{"ctx", {1, 4, 16}}, {"seq", {2, 8}}};
  for (const double ctx : {1, 4, 16}) {
    for (const double seq : {2, 8}) table.values.push_back({2 * seq * ctx, ctx, seq * 1e-6});
  }
  return table;
}

Plan example() {
  Plan plan;
  plan.machine = machine::load("avx512-zen5");
  Op op;
  op.id = 7;
  op.name = "layer.q_proj";
  op.op = "matmul_nt";
  op.function = "layer";
  op.count = 28;
  op.type = "f32[seq, 64]";
  op.operands = {"f32[seq, 32]", "bf16[64, 32]<16@0, 2@1>"};
  op.layout = "b<16@0, 2@1>";
  op.placement = "{core: S(1)}";
  op.region = {"layer.q_proj", "layer.silu"};
  op.tree = "leaf tile panels 2\n";
  op.form = "tile";
  op.cost = bilinear();
  op.alternatives = {{"row-major", 3e-6}};
  plan.stats = {"ilp", 100, 40, "saturated", false, 4e-6, 3.5e-6, 0.125, 0.5, 0.25, {}};
  plan.stats.regions = {{"seq1", "layer", "uct", 20, 30, 3e-6, 2.5e-6, 2e-6, {{1, 3e-6}, {7, 2e-6}}, "visits"}};
  plan.stats.tuning = {9, 31, 6, 1};
  plan.stats.second_round = {0.5, 0.25};
  plan.entries = {{"forward", "f1", "seq1", {{"seq", {1, 1}}}, 1, {}},
                  {"head", "h1", "seq1", {{"seq", {1, 1}}}, 1, {}},
                  {"forward", "strata_forward_chunk", "chunk", {{"seq", {2, 512}}}, 9, {op}}};
  return plan;
}

json example_json() { return json::parse(to_json(example())); }

void expect_refused(const json& document, const std::string& word) {
  try {
    plan_from_json(document.dump(), "model.strata");
    FAIL() << "accepted, though " << word;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kModel);
    EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("model.strata"), std::string::npos) << error.what();
  }
}

TEST(CostTable, IsExactAtAndBetweenNodesForProductsOfSizes) {
  const CostTable table = bilinear();
  for (const double ctx : {1.0, 2.5, 4.0, 10.0, 16.0}) {
    for (const double seq : {2.0, 3.0, 8.0}) {
      const Cost cost = table.at({{"seq", seq}, {"ctx", ctx}, {kThreads, 2}});
      EXPECT_DOUBLE_EQ(cost.flops, 2 * seq * ctx);
      EXPECT_DOUBLE_EQ(cost.bytes, ctx);
      EXPECT_DOUBLE_EQ(cost.predicted_s, seq * 1e-6);
    }
  }
}

TEST(CostTable, ClampsBeyondItsNodesAndTakesTheLargestForAMissingSize) {
  const CostTable table = bilinear();
  EXPECT_DOUBLE_EQ(table.at({{"seq", 100}, {"ctx", 0}}).flops, 2 * 8 * 1);
  EXPECT_DOUBLE_EQ(table.at({{"seq", 2}}).flops, 2 * 2 * 16);
  EXPECT_DOUBLE_EQ((CostTable{{}, {{5, 6, 7}}}.at({{"seq", 2}}).bytes), 6);
}

TEST(CallSizes, ContextIsWhatARowSeesOnAverage) {
  EXPECT_EQ(call_sizes(1, 0, 1).at("ctx"), 1);
  EXPECT_EQ(call_sizes(1, 99, 1).at("ctx"), 100);
  EXPECT_EQ(call_sizes(3, 0, 2).at("ctx"), 2);  // 1, 2 and 3 positions
  EXPECT_EQ(call_sizes(3, 10, 2).at(kThreads), 2);
}

TEST(FindEntry, BySizeAndBySymbol) {
  const Plan plan = example();
  EXPECT_EQ(find_entry(plan, "forward", 1)->symbol, "f1");
  EXPECT_EQ(find_entry(plan, "forward", 512)->version, "chunk");
  EXPECT_EQ(find_entry(plan, "forward", 513), nullptr);
  EXPECT_EQ(find_entry(plan, "head", 2), nullptr);
  EXPECT_EQ(find_entry(plan, "h1")->function, "head");
  EXPECT_EQ(find_entry(plan, "nosuch"), nullptr);
}

TEST(PlanJson, RoundTrips) {
  const std::string text = to_json(example());
  const Plan back = plan_from_json(text, "test");
  EXPECT_EQ(to_json(back), text);
  const Op& op = back.entries[2].ops[0];
  EXPECT_EQ(op.cost.axes[1].nodes, (std::vector<std::int64_t>{2, 8}));
  EXPECT_EQ(op.alternatives[0].layout, "row-major");
  EXPECT_EQ(back.machine.name, "avx512-zen5");
  EXPECT_EQ(back.stats.egraph_nodes, 100);
  EXPECT_EQ(back.stats.tuning, (Tuning{9, 31, 6, 1}));
  EXPECT_EQ(back.stats.second_round, (SecondRound{0.5, 0.25}));
  ASSERT_EQ(back.stats.regions.size(), 1U);
  EXPECT_EQ(back.stats.regions[0].function, "layer");
  EXPECT_EQ(back.stats.regions[0].curve[1].states, 7);
}

TEST(PlanJson, KeepsNoSecondsOfTheSearch) {
  Plan other = example();
  other.stats.saturate_s = 9;
  other.stats.extract_s = 9;
  EXPECT_EQ(to_json(other), to_json(example())) << "packages of two compilations would differ";
}

TEST(PlanJson, RefusesWhatIsMalformed) {
  const json good = example_json();
  const auto op_at = "/versions/1/entries/0/ops/0"_json_pointer;
  const auto changed = [&](const json::json_pointer& at, json value) {
    json copy = good;
    copy[at] = std::move(value);
    return copy;
  };
  expect_refused(json::array(), "object");
  expect_refused(changed("/machine"_json_pointer, json::object()), "missing");
  expect_refused(changed("/versions"_json_pointer, 1), "versions");
  expect_refused(changed("/versions/1/ids"_json_pointer, 7), "id");
  expect_refused(changed("/versions/1/ids"_json_pointer, -1), "ids");
  expect_refused(changed("/versions/1/ranges"_json_pointer, {{"seq", 1}}), "seq");
  expect_refused(changed("/versions/1/stats/gap"_json_pointer, "x"), "gap");
  expect_refused(changed("/versions/1/regions"_json_pointer, 1), "regions");
  expect_refused(changed("/versions/1/regions"_json_pointer, {{{"function", "layer"}}}), "method");
  expect_refused(changed(op_at / "count", 0), "count");
  expect_refused(changed(op_at / "name", 3), "name");
  expect_refused(changed(op_at / "operands", {1}), "operands");
  expect_refused(changed(op_at / "alternatives", {{{"layout", "x"}}}), "predicted_ns");
  expect_refused(changed(op_at / "cost" / "flops", {1, 2}), "axes");
  expect_refused(changed(op_at / "cost" / "flops" / 0, -1), "flops");
  expect_refused(changed(op_at / "cost" / "axes" / 0 / "nodes", json::array()), "nodes");
  expect_refused(changed(op_at / "cost" / "axes" / 0 / "nodes", {4, 4, 5}), "nodes");
  json missing = good;
  missing[op_at].erase("layout");
  expect_refused(missing, "layout");
}

TEST(PlanJson, RefusesMoreCostsThanMemoryShouldHold) {
  json many = example_json();
  json nodes = json::array();
  for (int i = 0; i < 2000; ++i) nodes.push_back(i);
  many["/versions/1/entries/0/ops/0/cost/axes"_json_pointer] = {
      {{"name", "a"}, {"nodes", nodes}}, {{"name", "b"}, {"nodes", nodes}}, {{"name", "c"}, {"nodes", nodes}}};
  expect_refused(many, "too many");
}

}  // namespace
}  // namespace strata::plan
