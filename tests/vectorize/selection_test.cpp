// SPDX-License-Identifier: Apache-2.0
#include "vectorize/selection.h"

#include <gtest/gtest.h>

#include <map>

#include "../extract/every_choice.h"
#include "buffer/barriers.h"
#include "egraph/runner.h"
#include "ir/constants.h"
#include "ir/rewrite.h"
#include "ir/text.h"
#include "ops/register.h"
#include "rules/algebra.h"
#include "schedule/op_cost.h"
#include "schedule/schedule_text.h"
#include "vectorize/layout_rules.h"
#include "vectorize/rebuild.h"

namespace strata::vectorize {
namespace {

// Programs so small that all plans in their e-graphs can be tried.
constexpr const char* kSmall[] = {
    R"(func @main(%x: f32[3, 32]) {
    %0 = exp(%x) : f32[3, 32]
    %1 = neg(%0) : f32[3, 32]
    return %1
  })",
    R"(func @main(%x: f32[1, 32]) {
    %0 = weight "w" : bf16[32, 32]
    %1 = matmul_nt(%x, %0) : f32[1, 32]
    return %1
  })",
    R"(func @main(%x: f32[8, 32]) {
    %0 = weight "w" : bf16[32, 32]
    %1 = matmul_nt(%x, %0) : f32[8, 32]
    %2 = silu(%1) : f32[8, 32]
    return %2
  })",
    R"(func @main(%x: f32[2, 16]) {
    %0 = weight "norm" : f32[16]
    %1 = rms_norm(%x, %0) {eps = 1e-06} : f32[2, 16]
    %2 = add(%x, %1) : f32[2, 16]
    return %2
  })",
    R"(func @main(%x: f32[1, 16]) {
    %0 = weight "a" : f32[16, 16]
    %1 = weight "b" : f32[32, 16]
    %2 = matmul_nt(%x, %0) : f32[1, 16]
    %3 = matmul_nt(%x, %1) : f32[1, 32]
    return %2, %3
  })",
    R"(func @layer(%x: f32[1, 32], %w: bf16[32, 32]) {
    %0 = matmul_nt(%x, %w) : f32[1, 32]
    %1 = add(%x, %0) : f32[1, 32]
    return %1
  }
  func @main(%x: f32[1, 32]) {
    %0 = weight "a" : bf16[32, 32]
    %1 = weight "b" : bf16[32, 32]
    %2 = call @layer(%x, %0) : f32[1, 32]
    %3 = call @layer(%2, %1) : f32[1, 32]
    return %3
  })",
};

// A saturated program of the small ones, at the given number of threads.
class Candidates {
 public:
  explicit Candidates(const std::string& text)
      : module_(ir::parse_module("module m {\n  " + text + "\n}\n", "test")),
        program_({{"all", &module_, {"main"}, {{100}}}}) {
    std::vector<egraph::Rewrite> rules = rules::algebra_rules(program_.tensors());
    for (egraph::Rewrite& rule : layout_rules(program_.tensors(), machine_)) rules.push_back(std::move(rule));
    const auto report = egraph::run(program_.tensors().graph(), rules, {.iterations = 30, .nodes = 100'000});
    EXPECT_EQ(report.stop_reason, egraph::StopReason::kSaturated);
  }

  Selection selection(int threads) const { return {program_, machine_, threads}; }

  // For people: the module and its tile trees.
  std::string text(const Selection& selection) const {
    Alternatives alternatives;
    const ir::Module planned = rebuild(program_, selection, program_.versions()[0], alternatives);
    return ir::to_text(planned) + schedule::to_text(schedule::default_schedule(planned, machine_), machine_);
  }

  double barrier_seconds() const { return program_.versions()[0].steps[0].runs * machine_.barrier_s; }

  // The workload's time as the plan of the chosen ops reports it, and the time to load what it stores.
  double plan_seconds(const Selection& selection, int threads) const {
    double seconds = 0;
    for (const Version& version : program_.versions()) {
      Alternatives alternatives;
      const ir::Module planned = rebuild(program_, selection, version, alternatives);
      const auto counts = ir::call_counts(planned, version.entries);
      auto functions = schedule::default_schedule(planned, machine_, threads);
      buffer::place_barriers(functions, buffer::plan_buffers(functions));
      schedule::predict(functions, machine_, threads);
      for (const auto& function : functions) {
        for (const schedule::ScheduledOp& op : function.ops) {
          for (const Step& step : version.steps) {
            if (!op.is_call())
              seconds += step.runs * counts.at(function.function) *
                         schedule::op_cost(op, machine_, step.sizes, threads).seconds;
          }
        }
      }
      seconds += load_seconds(planned);
    }
    return seconds;
  }

 private:
  double load_seconds(const ir::Module& module) const {
    std::map<std::string, double> bytes;
    for (const auto& function : module.functions()) {
      const auto constants = ir::constants(*function);
      for (const ir::Expr* value : ir::topological_order(*function)) {
        if (constants.contains(value)) continue;
        for (const ir::Expr* argument : value->arguments) {
          const bool is_stored = constants.contains(argument) && argument->kind != ir::Expr::Kind::kScalar;
          if (is_stored) bytes[ir::constant_text(*argument)] = static_cast<double>(ir::max_bytes(argument->type()));
        }
      }
    }
    double sum = 0;
    for (const auto& [text, size] : bytes) sum += size;
    return sum / machine_.storage_read_bytes_per_s;
  }

  ir::Module module_;
  ProgramGraph program_;
  const machine::Machine machine_ = machine::load("avx512-zen5");
};

// By trying all: the choice costs least by the objective that the search minimises, and that objective is the time that
// the plan reports, barriers in its trees included, at the number of threads. Of every candidate that costs at most
// half more, the plan takes no less than the choice, and the objective promises no less than the plan takes.
TEST(Selection, NoPlanIsBetter) {
  ops::register_all();
  for (const char* const text : kSmall) {
    for (const int threads : {1, 2}) {
      SCOPED_TRACE(text + std::string("\n") + std::to_string(threads) + " threads");
      const Candidates candidates(text);
      Selection selection = candidates.selection(threads);
      selection.solve({});
      const extract::Problem& problem = selection.problem();
      const double objective = selection.solution().objective;
      EXPECT_EQ(selection.solution().method, extract::Method::kOptimal);
      EXPECT_GT(problem.classes.size(), 5u);
      const double reported = candidates.plan_seconds(selection, threads);
      EXPECT_NEAR(reported, objective, 1e-6 * objective) << candidates.text(selection);

      int plans = 0;
      double limit = 1.5 * objective;
      std::vector<int> choice(problem.classes.size(), -1);
      extract::fixtures::try_all(problem, choice, problem.roots, 0, limit,
                                 [&](const std::vector<int>& other, double cost) {
                                   EXPECT_GE(cost, objective * (1 - 1e-9));
                                   if (++plans > 300) return;
                                   Selection tried = candidates.selection(threads);
                                   tried.choose(other);
                                   const double seconds = candidates.plan_seconds(tried, threads);
                                   EXPECT_GE(seconds, objective * (1 - 1e-6)) << candidates.text(tried);
                                   EXPECT_LE(seconds, cost * (1 + 1e-6)) << candidates.text(tried);
                                 });
      EXPECT_GT(plans, 1);
    }
  }
}

// Too large to try all plans.
constexpr const char* kLayers[] = {
    R"(func @main(%x: f32[1, 256]) {
    %0 = weight "norm" : f32[256]
    %1 = rms_norm(%x, %0) {eps = 1e-06} : f32[1, 256]
    %2 = weight "gate" : bf16[512, 256]
    %3 = weight "up" : bf16[512, 256]
    %4 = matmul_nt(%1, %2) : f32[1, 512]
    %5 = matmul_nt(%1, %3) : f32[1, 512]
    %6 = silu(%4) : f32[1, 512]
    %7 = mul(%6, %5) : f32[1, 512]
    %8 = weight "down" : bf16[256, 512]
    %9 = matmul_nt(%7, %8) : f32[1, 256]
    %10 = add(%x, %9) : f32[1, 256]
    return %10
  })",
    R"(func @main(%x: f32[64, 256]) {
    %0 = weight "norm" : f32[256]
    %1 = rms_norm(%x, %0) {eps = 1e-06} : f32[64, 256]
    %2 = weight "q" : f32[512, 256]
    %3 = weight "k" : f32[256, 256]
    %4 = weight "head" : f32[64]
    %5 = matmul_nt(%1, %2) : f32[64, 512]
    %6 = reshape(%5) {shape = [64, 8, 64]} : f32[64, 8, 64]
    %7 = rms_norm(%6, %4) {eps = 1e-06} : f32[64, 8, 64]
    %8 = matmul_nt(%1, %3) : f32[64, 256]
    %9 = reshape(%8) {shape = [64, 4, 64]} : f32[64, 4, 64]
    %10 = rms_norm(%9, %4) {eps = 1e-06} : f32[64, 4, 64]
    return %7, %10
  })",
};

// But for what values of new places in the program's order cost to read, which is less than a barrier.
TEST(Selection, TheObjectiveHasTheBarriersOfThePlan) {
  ops::register_all();
  for (const char* const text : kLayers) {
    for (const int threads : {1, 2}) {
      SCOPED_TRACE(text + std::string("\n") + std::to_string(threads) + " threads");
      const Candidates candidates(text);
      Selection selection = candidates.selection(threads);
      selection.solve({});
      const double objective = selection.solution().objective;
      EXPECT_NEAR(candidates.plan_seconds(selection, threads), objective, 0.25 * candidates.barrier_seconds())
          << candidates.text(selection);
    }
  }
}

}  // namespace
}  // namespace strata::vectorize
