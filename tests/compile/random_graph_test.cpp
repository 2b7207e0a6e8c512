// SPDX-License-Identifier: Apache-2.0
// Random programs through the whole compiler, against the float64 interpreter. A failure is shrunk, and printed as IR
// text with its seed.
//
//   STRATA_RANDOM_GRAPHS=500     how many; 60, with STRATA_SOAK 10,000
//   STRATA_RANDOM_SEED=17        the first one's seed
//   STRATA_RANDOM_JOBS=2         batches at a time
#include "random_graph.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "base/ranges.h"
#include "graph_check.h"
#include "op_case.h"
#include "shrink.h"
#include "tests/sweep.h"

namespace strata::compile {
namespace {

constexpr std::size_t kBatch = 100;  // graphs in one translation unit
constexpr std::size_t kMaxShrunk = 5;

std::uint64_t environment_number(const char* name, std::uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

// A graph's seed decides its target too.
GraphTarget target_of(std::uint64_t seed) {
  static const char* const kMachines[] = {"native", "avx2-generic", "x86-64-baseline", "scratchpad-generic"};
  static const std::vector<std::string> kWithout[] = {{},        {},        {}, {}, {"algebra"}, {"vectorize"},
                                                      {"exact"}, {"egraph"}};
  // Every other graph has all regions that are possible, whether they pay or not.
  const std::optional<Fusion> fusion = seed / 2 % 2 == 0 ? std::optional(Fusion::kWherePossible) : std::nullopt;
  return {kMachines[seed / 20 % std::size(kMachines)], kWithout[seed % std::size(kWithout)], seed / 60 % 5 == 4,
          fusion};
}

// What failures with one cause have in common: the kind, or the message without names and numbers.
std::string kind_of(const Verdict& verdict) {
  if (verdict.starts_with("wrong result")) return "wrong result";
  std::string kind;
  for (std::size_t i = 0; i < verdict.size(); ++i) {
    const bool is_name = verdict[i] == '%' || verdict[i] == '@' || verdict[i] == '\'';
    while (is_name && i + 1 < verdict.size() && std::isspace(static_cast<unsigned char>(verdict[i + 1])) == 0) ++i;
    if (std::isdigit(static_cast<unsigned char>(verdict[i])) == 0) kind += verdict[i];
  }
  return kind;
}

std::string describe(const GraphCase& graph, const Verdict& verdict) {
  std::string without;
  for (const std::string& name : graph.target.without) without += " --without " + name;
  return "seed " + std::to_string(graph.seed) + ", machine " + graph.target.machine + without +
         (graph.target.optimised ? "" : ", -O1") + (graph.target.fusion ? ", all regions" : "") + "\n" + verdict +
         "\n" + graph.text;
}

// The smallest graph that fails in the same way.
GraphCase shrunk(const GraphCase& graph, const Verdict& verdict) {
  const auto fails = [&](const std::vector<std::string>& texts) {
    std::vector<GraphCase> cases;
    for (const std::string& text : texts) cases.push_back({text, graph.target, graph.seed});
    std::vector<bool> failing;
    for (const Verdict& v : check_graphs(cases)) failing.push_back(!v.empty() && kind_of(v) == kind_of(verdict));
    return failing;
  };
  return {shrink(graph.text, fails), graph.target, graph.seed};
}

void report(const GraphCase& graph, const Verdict& verdict, bool shrinks) {
  ADD_FAILURE() << describe(graph, verdict);
  if (!shrinks) return;
  const GraphCase smallest = shrunk(graph, verdict);
  ADD_FAILURE() << "shrunk: " << describe(smallest, check_graphs({smallest})[0]);
}

// Collects graphs into batches that share a translation unit, and checks some of them at a time.
class GraphRun {
 public:
  GraphRun(std::uint64_t graphs, std::size_t jobs) : graphs_(graphs), jobs_(std::max<std::size_t>(jobs, 1)) {}

  void add(GraphCase graph) {
    auto batch = std::ranges::find_if(batches_, [&](const std::vector<GraphCase>& cases) {
      return cases.empty() || cases[0].target.shares_code_with(graph.target);
    });
    if (batch == batches_.end()) batch = batches_.emplace(batch);
    batch->push_back(std::move(graph));
    if (batch->size() == kBatch) start(*batch);
  }

  void finish() {
    for (std::vector<GraphCase>& batch : batches_) start(batch);
    while (!running_.empty()) collect();
    if (graphs_ >= 60) EXPECT_GT(with_regions_, 0);
  }

 private:
  void start(std::vector<GraphCase>& batch) {
    if (batch.empty()) return;
    if (running_.size() == jobs_) collect();
    running_.push_back(std::make_unique<GraphChild>(std::exchange(batch, {})));
  }

  // The first one to end.
  void collect() {
    siginfo_t ended{};
    waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT);
    const auto found = std::ranges::find(running_, ended.si_pid, [](const auto& child) { return child->id(); });
    const std::unique_ptr<GraphChild> child = std::move(*found);
    running_.erase(found);
    const std::vector<Verdict> verdicts = verdicts_of(*child);
    checked_ += verdicts.size();
    with_regions_ += child->with_regions();
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
      if (!verdicts[i].empty()) report(child->cases()[i], verdicts[i], failures_++ < kMaxShrunk);
    }
    if (graphs_ < 1000) return;
    std::cout << checked_ << " of " << graphs_ << " graphs, " << with_regions_ << " with regions of several ops, "
              << failures_ << " failures" << std::endl;
  }

  const std::uint64_t graphs_;
  const std::size_t jobs_;
  std::vector<std::vector<GraphCase>> batches_;
  std::vector<std::unique_ptr<GraphChild>> running_;
  std::size_t checked_ = 0;
  std::size_t failures_ = 0;
  int with_regions_ = 0;
};

std::vector<double> noise_errors(const std::string& statements, const std::string& result) {
  ops::register_all();
  std::mt19937_64 random(3);
  const PlannedFunction planned("module test {\n  symbol seq in 1..40\n  func @main(%x: f32[seq, 5]) {\n" + statements +
                                    "return " + result + " } }",
                                {}, machine::load("native"), random);
  const Symbols symbols = {{"seq", 17}};
  const auto arguments = graph_arguments(planned.function(), symbols, random);
  return rounding_errors(planned, arguments, symbols, planned.reference(arguments, symbols));
}

// Elements of f32 about 200 are 1.5e-5 apart, and softmax makes that a relative error, whatever the axis is.
TEST(RoundingNoise, IsOfEachElement) {
  const std::string scores =
      "%0 = matmul_nt(%x, %x) : f32[seq, seq]\n %1 = scalar 200.0 : f32\n %2 = add(%0, %1) : f32[seq, seq]\n";
  EXPECT_GT(noise_errors(scores + "%3 = softmax(%2) : f32[seq, seq]\n", "%3")[0], 2e-5);
}

TEST(RoundingNoise, IsOfTheOperandInTheTailOfGelu) {
  const std::string tail = "%0 = scalar -5.0 : f32\n %1 = add(%x, %0) : f32[seq, 5]\n %2 = gelu(%1) : f32[seq, 5]\n";
  EXPECT_GT(noise_errors(tail, "%2")[0], 5e-4);
}

TEST(RoundingNoise, IsSmallWhereNothingCancels) {
  const double error = noise_errors("%0 = mul(%x, %x) : f32[seq, 5]\n %1 = softmax(%0) : f32[seq, 5]\n", "%1")[0];
  EXPECT_GT(error, 0);
  EXPECT_LT(error, 5e-6);
}

TEST(RandomGraphs, EqualTheInterpreter) {
  ops::register_all();
  const std::uint64_t first = environment_number("STRATA_RANDOM_SEED", 1);
  const std::uint64_t graphs = environment_number("STRATA_RANDOM_GRAPHS", sweep_size(60, 10'000));
  GraphRun run(graphs, environment_number("STRATA_RANDOM_JOBS", 1));
  for (std::uint64_t seed = first; seed < first + graphs; ++seed) {
    const GraphTarget target = target_of(seed);
    if (!can_run(target.machine)) continue;
    run.add({RandomGraph(seed).write(), target, seed});
  }
  run.finish();
}

}  // namespace
}  // namespace strata::compile
