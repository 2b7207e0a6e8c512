// SPDX-License-Identifier: Apache-2.0
// The program of one device, run by all of them in lockstep, against the whole program.
#include "distribution/local_program.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "ir/group_interpreter.h"
#include "ir/rewrite.h"
#include "ir/verify.h"
#include "programs.h"

namespace strata::distribution {
namespace {

using fixtures::Sizes;
using Values = std::vector<ir::Value>;

const std::map<std::string, std::int64_t> kSymbols = {{"seq", 3}, {"ctx", 64}};

// The same whoever asks.
std::vector<double> numbers(const std::string& name, std::int64_t count, double scale) {
  std::mt19937 engine(static_cast<unsigned>(std::hash<std::string>{}(name)));
  std::uniform_real_distribution<double> number(-scale, scale);
  std::vector<double> all;
  for (std::int64_t i = 0; i < count; ++i) all.push_back(number(engine));
  return all;
}

ir::Value weight(const ir::Expr& expr) {
  ir::Value value{expr.type(), numbers(expr.name, ir::max_element_count(expr.type().shape), 0.5)};
  const bool is_code = expr.type().dtype == DType::kI8;
  for (double& x : value.data) x = ir::round_to(expr.type().dtype, is_code ? x * 100 : x);
  return value;
}

ir::Value zeros(const ir::TensorType& type) {
  ir::Value value{ir::concrete_type(type, kSymbols), {}};
  value.data.resize(static_cast<std::size_t>(ir::max_element_count(value.type.shape)));
  return value;
}

// Tokens and positions, and empty caches.
Values arguments(const ir::Function& function) {
  Values values;
  for (const ir::Expr* parameter : function.parameters) {
    values.push_back(zeros(parameter->type()));
    if (parameter->type().dtype != DType::kI32) continue;
    for (std::size_t i = 0; i < values.back().data.size(); ++i) {
      values.back().data[i] = static_cast<double>(parameter->name == "tokens" ? (7 * i + 2) % 16 : i);
    }
  }
  return values;
}

double error_of(const std::vector<double>& got, const std::vector<double>& want) {
  if (got.size() != want.size()) return 1;
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    difference += (got[i] - want[i]) * (got[i] - want[i]);
    norm += want[i] * want[i];
  }
  return std::sqrt(difference / norm);
}

std::set<std::string> group_ops(const ir::Module& module) {
  std::set<std::string> found;
  for (const auto& function : module.functions()) {
    for (const ir::Expr* value : ir::topological_order(*function)) {
      if (value->kind == ir::Expr::Kind::kOp && value->op->name().find("_") != std::string::npos) {
        found.insert(value->op->name());
      }
    }
  }
  return found;
}

// Logits of the whole program, and of each device's.
void expect_whole(const ir::Module& whole, const ir::Module& local, const Mesh& mesh, const std::string& what) {
  ir::verify(local);
  const auto first = ir::interpret(whole, *whole.find("forward"), arguments(*whole.find("forward")), kSymbols, weight);
  const auto logits = ir::interpret(whole, *whole.find("head"), {first[0]}, kSymbols, weight);
  std::vector<std::int64_t> extents;
  for (const machine::MeshAxis& axis : mesh) extents.push_back(axis.extent);
  const auto count = static_cast<std::size_t>(devices(mesh));
  const std::vector<Values> given(count, arguments(*local.find("forward")));
  const auto hidden = ir::interpret_group(local, *local.find("forward"), given, extents, kSymbols, weight);
  std::vector<Values> handed_on;
  for (const Values& own : hidden) handed_on.push_back({own[0]});
  const auto made = ir::interpret_group(local, *local.find("head"), handed_on, extents, kSymbols, weight);
  for (std::size_t rank = 0; rank < count; ++rank) {
    EXPECT_LT(error_of(hidden[rank][0].data, first[0].data), 1e-5) << what << ", hidden of rank " << rank;
    EXPECT_LT(error_of(made[rank][0].data, logits[0].data), 1e-5) << what << ", logits of rank " << rank;
  }
}

std::vector<Phase> equal_phases() {
  std::vector<Phase> phases = {fixtures::decode(512), fixtures::prefill(64)};
  for (Phase& phase : phases) phase.equal_parts = true;
  return phases;
}

const Sizes kSmall = {.hidden = 32, .heads = 4, .kv_heads = 2, .head = 8, .mlp = 64, .vocab = 16, .layers = 2};

TEST(LocalProgram, OfTheBestPlanIsTheWhole) {
  const ir::Module module = fixtures::decoder_program(kSmall);
  const Graph graph = graph_of(module, {"forward", "head"}, true);
  for (const std::vector<int>& extents : {std::vector{2}, {4}, {2, 2}, {8}, {1}}) {
    const machine::Machine machine = fixtures::machine_of(extents, 1e-9, 1e15);
    const Mesh mesh = mesh_of(machine);
    const auto plan = plan_distribution(graph, mesh, machine, equal_phases());
    ASSERT_TRUE(plan.division.has_value());
    const ir::Module local = local_program(module, graph, *plan.division);
    expect_whole(module, local, mesh, std::to_string(devices(mesh)) + " devices");
    if (!mesh.empty()) EXPECT_TRUE(group_ops(local).contains("all_reduce"));
  }
}

// Any division, however slow: each choice of the plan at a random price.
std::set<std::string> expect_random_divisions(const ir::Module& module, const std::vector<int>& extents, int count) {
  const Graph graph = graph_of(module, {"forward", "head"}, true);
  const machine::Machine machine = fixtures::machine_of(extents, 1e-9, 1e15);
  const Mesh mesh = mesh_of(machine);
  const Problem problem(graph, mesh, machine, equal_phases());
  std::set<std::string> ops;
  for (int seed = 0; seed < count; ++seed) {
    std::mt19937 engine(static_cast<unsigned>(seed));
    FactorGraph factors = problem.factors(0);
    for (std::size_t v = 0; v < factors.sizes.size(); ++v) {
      Factor price{{static_cast<int>(v)}, {}};
      for (int i = 0; i < factors.sizes[v]; ++i) price.costs.push_back(static_cast<double>(engine() % 1000));
      factors.factors.push_back(std::move(price));
    }
    const auto found = minimise(factors, std::int64_t{1} << 31);
    if (!found || found->cost == kInfinite) return ops;
    const ir::Module local = local_program(module, graph, problem.division(found->choice));
    expect_whole(module, local, mesh, "seed " + std::to_string(seed));
    ops.merge(group_ops(local));
  }
  return ops;
}

TEST(LocalProgram, OfAnyDivisionIsTheWhole) {
  std::set<std::string> ops = expect_random_divisions(fixtures::decoder_program(kSmall), {2}, 20);
  ops.merge(expect_random_divisions(fixtures::decoder_program(kSmall), {2, 2}, 6));
  ops.merge(expect_random_divisions(fixtures::decoder_program(kSmall), {4}, 6));
  for (const char* op : {"all_reduce", "all_gather", "reduce_scatter", "all_to_all", "rank_slice", "rank_gather"}) {
    EXPECT_TRUE(ops.contains(op)) << op << " is in none";
  }
}

// Parts of codes, and of the scales that they share.
TEST(LocalProgram, OfBlocks) {
  const auto ops = expect_random_divisions(fixtures::blocks_program({.hidden = 128, .vocab = 16}), {2}, 10);
  EXPECT_TRUE(ops.contains("rank_slice"));
}

}  // namespace
}  // namespace strata::distribution
