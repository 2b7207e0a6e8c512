// SPDX-License-Identifier: Apache-2.0
// The same choice as an integer program, solved by CBC: a check that shares no line with the elimination.
#include <gtest/gtest.h>

#include <coin/CbcModel.hpp>
#include <coin/CoinPackedMatrix.hpp>
#include <coin/OsiClpSolverInterface.hpp>
#include <limits>

#include "programs.h"

namespace strata::distribution {
namespace {

using fixtures::decode;
using fixtures::machine_of;

// One binary for each choice of a variable, one column for each allowed entry of a table; an entry is taken where all
// choices of its scope are.
class IntegerProgram {
 public:
  // `weights`: of each variable's choices, whose sum may be `most`.
  IntegerProgram(const FactorGraph& graph, const std::vector<std::vector<double>>& weights, double most) {
    for (const int size : graph.sizes) {
      first_.push_back(columns_);
      std::vector<int> all;
      for (int k = 0; k < size; ++k) all.push_back(add_column(0, true));
      add_row(all, std::vector<double>(all.size(), 1), 1, 1);
    }
    for (const Factor& factor : graph.factors) add_factor(graph, factor);
    std::vector<int> weighed;
    std::vector<double> values;
    for (std::size_t v = 0; v < weights.size(); ++v) {
      for (std::size_t k = 0; k < weights[v].size(); ++k) {
        weighed.push_back(first_[v] + static_cast<int>(k));
        values.push_back(weights[v][k] / most);
      }
    }
    if (!weighed.empty()) add_row(weighed, values, 0, 1);
  }

  // Infinite where nothing is allowed.
  double solve() {
    OsiClpSolverInterface solver;
    solver.messageHandler()->setLogLevel(0);
    CoinPackedMatrix matrix(false, 0, 0);
    matrix.setDimensions(0, columns_);
    for (std::size_t r = 0; r < rows_.size(); ++r) matrix.appendRow(rows_[r]);
    const std::vector<double> lower(static_cast<std::size_t>(columns_), 0),
        upper(static_cast<std::size_t>(columns_), 1);
    solver.loadProblem(matrix, lower.data(), upper.data(), costs_.data(), row_lower_.data(), row_upper_.data());
    for (const int column : integers_) solver.setInteger(column);
    CbcModel model(solver);
    model.setLogLevel(0);
    model.setAllowableGap(0);
    model.branchAndBound();
    return model.isProvenOptimal() ? model.getObjValue() * kScale : std::numeric_limits<double>::infinity();
  }

 private:
  static constexpr double kScale = 1e-6;  // seconds to microseconds

  int add_column(double cost, bool is_integer) {
    costs_.push_back(cost / kScale);
    if (is_integer) integers_.push_back(columns_);
    return columns_++;
  }

  void add_row(const std::vector<int>& columns, const std::vector<double>& values, double lower, double upper) {
    rows_.emplace_back(static_cast<int>(columns.size()), columns.data(), values.data());
    row_lower_.push_back(lower);
    row_upper_.push_back(upper);
  }

  void add_factor(const FactorGraph& graph, const Factor& factor) {
    // By variable of the scope and its choice: the entries that have it.
    std::vector<std::vector<std::vector<int>>> with;
    for (const int v : factor.scope)
      with.emplace_back(static_cast<std::size_t>(graph.sizes[static_cast<std::size_t>(v)]));
    for (std::size_t entry = 0; entry < factor.costs.size(); ++entry) {
      if (factor.costs[entry] == std::numeric_limits<double>::infinity()) continue;
      const int column = add_column(factor.costs[entry], false);
      std::size_t rest = entry;
      for (std::size_t i = factor.scope.size(); i-- > 0;) {
        with[i][rest % with[i].size()].push_back(column);
        rest /= with[i].size();
      }
    }
    for (std::size_t i = 0; i < with.size(); ++i) {
      for (std::size_t k = 0; k < with[i].size(); ++k) {
        std::vector<int> columns = with[i][k];
        std::vector<double> values(columns.size(), 1);
        columns.push_back(first_[static_cast<std::size_t>(factor.scope[i])] + static_cast<int>(k));
        values.push_back(-1);
        add_row(columns, values, 0, 0);
      }
    }
  }

  int columns_ = 0;
  std::vector<int> first_;
  std::vector<double> costs_;
  std::vector<int> integers_;
  std::vector<CoinPackedVector> rows_;
  std::vector<double> row_lower_, row_upper_;
};

TEST(IntegerProgram, FindsTheSamePlan) {
  const ir::Module module = fixtures::decoder_program({.heads = 4, .kv_heads = 2});
  const Graph graph = graph_of(module, {"forward", "head"});
  for (const double latency_s : {1e-7, 1e-5}) {
    const machine::Machine machine = machine_of({2}, latency_s, 1e10);
    const Mesh mesh = mesh_of(machine);
    const Problem problem(graph, mesh, machine, {decode(512, 2)});
    const FactorGraph factors = problem.factors(0);
    const auto found = minimise(factors, 1 << 24);
    ASSERT_TRUE(found);
    EXPECT_NEAR(IntegerProgram(factors, {}, 1).solve(), found->cost, 1e-6 * found->cost);
  }
}

// What stored values take, by variable and choice.
std::vector<std::vector<double>> bytes_of(const Problem& problem) {
  const FactorGraph free = problem.factors(0), paid = problem.factors(1);
  std::vector<std::vector<double>> bytes(free.sizes.size());
  for (std::size_t f = 0; f < free.factors.size(); ++f) {
    const Factor& factor = paid.factors[f];
    if (factor.costs != free.factors[f].costs) bytes[static_cast<std::size_t>(factor.scope[0])] = factor.costs;
  }
  return bytes;
}

// With a limit that binds, the optimum lies between the plan and its bound.
TEST(IntegerProgram, TheGapOfALimitIsRight) {
  const ir::Module module = fixtures::mlp_program();
  const Graph graph = graph_of(module, {"forward", "head"});
  for (const auto& [devices, latency_s] : {std::pair(2, 1e-5), {4, 1e-2}}) {
    const machine::Machine machine = machine_of({devices}, latency_s, 1e9);
    const Mesh mesh = mesh_of(machine);
    const Problem problem(graph, mesh, machine, {decode(64, 2)});
    const FactorGraph factors = problem.factors(0);
    std::vector<double> seconds;
    for (const double limit : {4.2e6, 3.8e6, 3.5e6, 3e6, 2.5e6, 2.1e6}) {
      SCOPED_TRACE(limit);
      const DistributionPlan plan = plan_distribution(graph, mesh, machine, {decode(64, 2)}, {.memory_bytes = limit});
      EXPECT_LE(plan.bytes(), limit);
      const double optimum = IntegerProgram(factors, bytes_of(problem), limit - plan.arena_bytes).solve();
      EXPECT_LE(plan.bound_s, optimum * (1 + 1e-6));
      EXPECT_NEAR(plan.seconds, optimum, 1e-6 * optimum) << "gap " << plan.gap;
      seconds.push_back(plan.seconds);
    }
    EXPECT_LT(seconds.front(), 0.9 * seconds.back()) << "the limit binds";
  }
}

}  // namespace
}  // namespace strata::distribution
