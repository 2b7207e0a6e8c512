// SPDX-License-Identifier: Apache-2.0
// The search finds what experts write by hand, and nothing is better.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "every_plan.h"
#include "programs.h"
#include "tests/sweep.h"

namespace strata::distribution {
namespace {

using fixtures::decode;
using fixtures::layer_collectives;
using fixtures::machine_of;
using fixtures::op_of;
using fixtures::planned;
using fixtures::prefill;
using fixtures::Sizes;
using fixtures::state_of;
using Texts = std::vector<std::string>;

constexpr double kFast = 1e-7, kWide = 1e11;  // latency in seconds, bytes per second

// No plan of all is cheaper, and one is as cheap.
void expect_best(const ir::Module& module, const machine::Machine& machine, const Phase& phase) {
  const Graph graph = graph_of(module, {"forward", "head"});
  const Mesh mesh = mesh_of(machine);
  SearchOptions options;
  options.memory_bytes = 1e15;
  const DistributionPlan plan = plan_distribution(graph, mesh, machine, {phase}, options);
  fixtures::EveryPlan every(graph, mesh, machine, phase);
  const double least = every.least(plan.seconds / phase.runs * (1 + 1e-9));
  EXPECT_NEAR(least, plan.seconds / phase.runs, 1e-9 * least);
  EXPECT_NEAR(plan.gap, 0, 1e-5);
}

TEST(Rediscovery, AnMlpIsColumnsThenRows) {
  const ir::Module module = fixtures::mlp_program();
  for (const int devices : {2, 4}) {
    const machine::Machine machine = machine_of({devices}, kFast, kWide);
    const DistributionPlan plan = planned(module, machine, {decode(64)});
    const PhasePlan& step = plan.phases[0];
    EXPECT_EQ(op_of(step, "layer.gate").operands, (Texts{"B", "{node: S(0)}"}));
    EXPECT_EQ(op_of(step, "layer.up").result, "{node: S(1)}");
    EXPECT_EQ(op_of(step, "layer.mul").result, "{node: S(1)}");
    EXPECT_EQ(op_of(step, "layer.down").operands, (Texts{"{node: S(1)}", "{node: S(1)}"}));
    EXPECT_EQ(op_of(step, "layer.down").result, "{node: P}");
    EXPECT_EQ(layer_collectives(step), Texts{"all-reduce layer.down"});
    EXPECT_EQ(plan.carried, "B");
    expect_best(module, machine, decode(64));
  }
}

TEST(Rediscovery, PartsNeedNotBeEqual) {
  const machine::Machine machine = machine_of({4}, kFast, kWide);
  const DistributionPlan plan = planned(fixtures::mlp_program({.mlp = 1001}), machine, {decode(64)});
  EXPECT_EQ(op_of(plan.phases[0], "layer.mul").result, "{node: S(1)}") << "251, 251, 251 and 248 columns";
  EXPECT_EQ(layer_collectives(plan.phases[0]), Texts{"all-reduce layer.down"});
  const ir::Module module = fixtures::attention_program({.heads = 12, .kv_heads = 6});
  const machine::Machine slower = machine_of({4}, 5e-6, kWide);
  const DistributionPlan heads = planned(module, slower, {decode(2048)});
  EXPECT_EQ(op_of(heads.phases[0], "layer.attention").operands,
            (Texts{"{node: S(1)}", "{node: S(0)}", "{node: S(0)}", "B"}))
      << "two, two and two heads of keys, and one device without, whose columns are those of whole heads";
  EXPECT_EQ(op_of(heads.phases[0], "layer.q").operands[1], "{node: S(0)}");
  EXPECT_EQ(layer_collectives(heads.phases[0]), Texts{"all-reduce layer.o"});
  expect_best(module, slower, decode(2048));
}

TEST(Rediscovery, BlocksOfWeightsStayWhole) {
  const ir::Module module = fixtures::blocks_program({.hidden = 160});
  const Graph graph = graph_of(module, {"forward", "head"});
  const auto weight = std::ranges::find(graph.values, "layer.square.codes", &Value::name);
  ASSERT_NE(weight, graph.values.end());
  EXPECT_EQ(weight->granules, (std::vector<std::int64_t>{32, 32})) << "results are added to what meets the blocks";
  EXPECT_EQ(weight->bytes, 160 * 160 + 160 * 5 * 4);
  const Extents extents = extents_of(*weight, decode(64));
  const Mesh mesh = mesh_of(machine_of({2}, kFast, kWide));
  EXPECT_EQ(share_of(extents, {ir::Sbp::split(1)}, mesh).type.shape[1], ir::Dim(96)) << "three and two blocks";
}

TEST(Rediscovery, AttentionIsDividedByHeads) {
  const ir::Module module = fixtures::attention_program();
  for (const int devices : {2, 4}) {
    const machine::Machine machine = machine_of({devices}, kFast, kWide);
    const DistributionPlan plan = planned(module, machine, {decode(512)});
    const PhasePlan& step = plan.phases[0];
    EXPECT_EQ(op_of(step, "layer.attention").operands, (Texts{"{node: S(1)}", "{node: S(0)}", "{node: S(0)}", "B"}));
    EXPECT_EQ(op_of(step, "layer.q").operands, (Texts{"B", "{node: S(0)}"}));
    EXPECT_EQ(op_of(step, "layer.o").result, "{node: P}");
    EXPECT_EQ(layer_collectives(step), Texts{"all-reduce layer.o"});
    EXPECT_EQ(state_of(plan, "layer.k_cache"), "{node: S(0)}");
    expect_best(module, machine, decode(512));
  }
}

TEST(Rediscovery, ADecoderHasTwoAllReducesALayer) {
  const ir::Module module = fixtures::decoder_program();
  const DistributionPlan plan = planned(module, machine_of({4}, kFast, kWide), {decode(512)});
  EXPECT_EQ(layer_collectives(plan.phases[0]), (Texts{"all-reduce layer.o", "all-reduce layer.down"}));
  EXPECT_EQ(op_of(plan.phases[0], "head.embed").operands[1], "{node: S(0)}") << "logits by words";
}

TEST(Rediscovery, MessagesThatTakeLongLeaveEachDeviceAlone) {
  const ir::Module module = fixtures::decoder_program();
  const machine::Machine machine = machine_of({4}, 1e-1, kWide);
  const DistributionPlan plan = planned(module, machine, {decode(512), prefill(512)});
  for (const PhasePlan& step : plan.phases) {
    EXPECT_TRUE(step.collectives.empty());
    EXPECT_EQ(step.link_bytes, std::vector<double>{0});
  }
  EXPECT_EQ(op_of(plan.phases[0], "layer.down").result, "B");
  expect_best(fixtures::mlp_program(), machine, decode(64));
}

TEST(Rediscovery, WithLittleMemoryItDividesWhatItMust) {
  const ir::Module module = fixtures::decoder_program();
  const machine::Machine machine = machine_of({4}, 1e-1, kWide);
  const DistributionPlan roomy = planned(module, machine, {decode(512)});
  DistributionPlan before = roomy;
  for (const double part : {0.9, 0.7, 0.5, 0.35}) {
    const DistributionPlan plan = planned(module, machine, {decode(512)}, {.memory_bytes = part * roomy.bytes()});
    EXPECT_LE(plan.bytes(), part * roomy.bytes());
    EXPECT_GE(plan.seconds, before.seconds * (1 - 1e-9)) << "less memory isn't faster";
    EXPECT_LE(plan.bound_s, plan.seconds);
    EXPECT_FALSE(plan.phases[0].collectives.empty());
    before = plan;
  }
  try {
    planned(module, machine, {decode(512)}, {.memory_bytes = 0.2 * roomy.bytes()});
    FAIL() << "a quarter of it doesn't fit a fifth";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kResource);
    EXPECT_NE(std::string(error.what()).find("each of the 4 devices would need at least"), std::string::npos);
  }
}

TEST(Rediscovery, ManySequencesAreDividedByData) {
  const ir::Module module = fixtures::decoder_program();
  const machine::Machine machine = machine_of({4}, 1e-5, 1e9);
  const DistributionPlan plan = planned(module, machine, {decode(512, 256)});
  EXPECT_EQ(plan.carried, "{node: S(sequences)}");
  EXPECT_EQ(layer_collectives(plan.phases[0]), Texts{});
  EXPECT_EQ(state_of(plan, "layer.down.weight"), "B");
  EXPECT_EQ(state_of(plan, "layer.k_cache"), "{node: S(sequences)}");
  expect_best(fixtures::mlp_program(), machine, decode(512, 256));
}

// Norms and sums of residuals are divided by rows, and the layer sends no more than with all-reduces.
TEST(Rediscovery, LargeActivationsAreScatteredAroundTheNorms) {
  const ir::Module module = fixtures::mlp_program({.mlp = 8192, .layers = 8});
  const machine::Machine machine = machine_of({4}, kFast, kWide);
  const DistributionPlan plan = planned(module, machine, {prefill(1024)}, {.memory_bytes = 60e6});
  EXPECT_EQ(layer_collectives(plan.phases[0]), (Texts{"all-gather layer.norm2", "reduce-scatter layer.down"}));
  EXPECT_EQ(op_of(plan.phases[0], "layer.norm2").result, "{node: S(0)}");
  EXPECT_EQ(op_of(plan.phases[0], "layer.add").result, "{node: S(0)}");
  EXPECT_EQ(plan.carried, "{node: S(0)}");
}

// One head of keys and values can't be divided: its context is.
TEST(Rediscovery, ALongContextIsDividedWhereHeadsCannotBe) {
  const ir::Module module = fixtures::attention_program({.heads = 4, .kv_heads = 1});
  const machine::Machine machine = machine_of({4}, kFast, kWide);
  const DistributionPlan plan = planned(module, machine, {decode(262144)});
  const PlacedOp& attention = op_of(plan.phases[0], "layer.attention");
  EXPECT_EQ(attention.operands, (Texts{"B", "{node: S(1)}", "{node: S(1)}", "B"}));
  EXPECT_EQ(attention.result, "{node: P(softmax)}");
  EXPECT_EQ(state_of(plan, "layer.k_cache"), "{node: S(1)}");
  expect_best(module, machine, decode(262144));
  const DistributionPlan with_heads =
      planned(fixtures::attention_program({.heads = 4, .kv_heads = 4}), machine, {decode(262144)});
  EXPECT_EQ(state_of(with_heads, "layer.k_cache"), "{node: S(0)}");
}

// The nodes take the sequences, the devices of each the matrices: not one axis after the other.
TEST(Rediscovery, AxesAreDecidedTogether) {
  const ir::Module module = fixtures::mlp_program({.vocab = 64, .layers = 8});
  machine::Machine machine = machine_of({2, 2}, kFast, kWide);
  machine.machines[0].link = machine::Link{{{0, 1e-5}}, 1e9};
  const DistributionPlan plan = planned(module, machine, {decode(64, 256)}, {.memory_bytes = 9e6});
  EXPECT_EQ(op_of(plan.phases[0], "layer.down").result, "{node: S(sequences), device: P}");
  EXPECT_EQ(state_of(plan, "layer.gate.weight"), "{device: S(0)}");
}

TEST(Rediscovery, NothingIsBetterOnManyMachines) {
  const ir::Module mlp = fixtures::mlp_program(), odd = fixtures::mlp_program({.hidden = 96, .mlp = 251});
  const ir::Module attention = fixtures::attention_program({.heads = 4, .kv_heads = 2});
  const ir::Module product = fixtures::product_program();
  const std::vector<Phase> phases = {decode(64), decode(512, 3), prefill(64)};
  std::vector<std::pair<double, double>> links;
  for (const double latency_s : {1e-7, 3e-6, 1e-4}) {
    for (const double bytes_per_s : {1e8, 1e10, 1e12}) links.emplace_back(latency_s, bytes_per_s);
  }
  const std::size_t all = links.size() * phases.size(), count = sweep_size(6, all);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = i * 5 % all;  // of every link and phase some
    const auto& [latency_s, bytes_per_s] = links[at % links.size()];
    const Phase& phase = phases[at / links.size()];
    SCOPED_TRACE(phase.name + " " + std::to_string(latency_s * 1e6) + " us " + std::to_string(bytes_per_s));
    const machine::Machine two = machine_of({2}, latency_s, bytes_per_s);
    expect_best(mlp, two, phase);
    expect_best(odd, two, phase);
    expect_best(attention, two, phase);
    expect_best(product, machine_of({2, 2}, latency_s, bytes_per_s), phase);
  }
}

// Sweeps ---------------------------------------------------------------------------------------------------------

// Where the plan changes along a sweep, as "collectives in a layer" and what it carries.
Texts changes(const std::vector<DistributionPlan>& plans) {
  Texts seen;
  for (const DistributionPlan& plan : plans) {
    std::string text = plan.carried;
    for (const std::string& collective : layer_collectives(plan.phases[0])) text += "; " + collective;
    if (seen.empty() || seen.back() != text) seen.push_back(text);
  }
  return seen;
}

TEST(Sweeps, OfLatency) {
  const ir::Module module = fixtures::mlp_program();
  std::vector<DistributionPlan> plans;
  for (double latency_s = 1e-8; latency_s < 1; latency_s *= 3) {
    plans.push_back(planned(module, machine_of({4}, latency_s, kWide), {decode(64)}));
    if (plans.size() < 2) continue;
    EXPECT_GE(plans.back().seconds, plans[plans.size() - 2].seconds * (1 - 1e-9)) << "a slower link isn't faster";
  }
  EXPECT_EQ(changes(plans), (Texts{"B; all-reduce layer.down", "B"}));
}

TEST(Sweeps, OfBandwidth) {
  const ir::Module module = fixtures::mlp_program();
  std::vector<DistributionPlan> plans;
  for (double bytes_per_s = 1e13; bytes_per_s > 1e4; bytes_per_s /= 10) {
    plans.push_back(planned(module, machine_of({4}, kFast, bytes_per_s), {decode(64)}));
    if (plans.size() < 2) continue;
    EXPECT_GE(plans.back().seconds, plans[plans.size() - 2].seconds * (1 - 1e-9));
  }
  EXPECT_EQ(changes(plans),
            (Texts{"B; all-reduce layer.down", "B; reduce-scatter layer.down; all-gather layer.add", "B"}))
      << "where bytes are dear, the sum of the residual is divided between the halves of the all-reduce";
}

TEST(Sweeps, OfSequences) {
  const ir::Module module = fixtures::mlp_program();
  std::vector<DistributionPlan> plans;
  for (std::int64_t sequences = 1; sequences <= 4096; sequences *= 4) {
    plans.push_back(planned(module, machine_of({4}, 1e-6, 3e9), {decode(64, sequences)}));
  }
  EXPECT_EQ(changes(plans), (Texts{"B; all-reduce layer.down", "B; reduce-scatter layer.down; all-gather layer.add",
                                   "{node: S(sequences)}"}));
}

TEST(Sweeps, OfMemory) {
  const ir::Module module = fixtures::decoder_program();
  const machine::Machine machine = machine_of({4}, 1e-5, 1e9);
  double seconds = 0;
  Texts gates;
  for (const double bytes : {1e9, 200e6, 100e6, 90e6, 80e6, 70e6}) {
    const DistributionPlan plan = planned(module, machine, {decode(512, 256)}, {.memory_bytes = bytes});
    EXPECT_GE(plan.seconds, seconds * (1 - 1e-9)) << bytes;
    EXPECT_LE(plan.bytes(), bytes);
    seconds = plan.seconds;
    const std::string gate = state_of(plan, "layer.gate.weight");
    if (gates.empty() || gates.back() != gate) gates.push_back(gate);
  }
  EXPECT_EQ(gates, (Texts{"B", "{node: S(0)}"}));
}

// The last rows of a prompt see the most of it.
TEST(Sweeps, DividedRowsCountWhatTheLastOnesSee) {
  const ir::Module module = fixtures::attention_program({.heads = 8, .kv_heads = 8, .head = 128});
  const Graph graph = graph_of(module, {"forward", "head"});
  const auto node = std::ranges::find(graph.nodes, "layer.attention", &Node::name);
  ASSERT_NE(node, graph.nodes.end());
  const Phase phase = {"prefill", 1, 1, {{"seq", 4096}, {"ctx", 2048}}, {{"ctx", 4096}}, {}};
  const auto seconds = [&](int devices, const Strategy& strategy) {
    const machine::Machine machine = machine_of({devices}, kFast, kWide);
    return node_seconds(graph, *node, strategy, mesh_of(machine), phase, machine);
  };
  using ir::Sbp;
  const Strategy all = {{{Sbp{}}, {Sbp{}}, {Sbp{}}, {Sbp{}}}, {Sbp{}}};
  const Strategy rows = {{{Sbp::split(0)}, {Sbp{}}, {Sbp{}}, {Sbp::split(0)}}, {Sbp::split(0)}};
  EXPECT_NEAR(seconds(2, rows) / seconds(2, all), 0.5 * 1.5, 0.03);
  EXPECT_NEAR(seconds(4, rows) / seconds(4, all), 0.25 * 1.75, 0.03);
}

}  // namespace
}  // namespace strata::distribution
