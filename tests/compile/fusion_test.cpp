// SPDX-License-Identifier: Apache-2.0
#include "compile/fusion.h"

#include <gtest/gtest.h>

#include "buffer/barriers.h"
#include "compile/region_space.h"
#include "ir/text.h"
#include "machine/machine.h"
#include "random_graph.h"
#include "schedule/region.h"
#include "schedule/verify.h"
#include "tests/sweep.h"
#include "vectorize/own_result.h"

namespace strata::compile {
namespace {

// A module's functions with the trees of single ops.
struct Scheduled {
  ir::Module module;
  machine::Machine machine;
  int threads;
  std::vector<schedule::ScheduledFunction> functions;

  Scheduled(const std::string& text, int team, double barriers = 1)
      : module((ops::register_all(), vectorize::with_own_results(ir::parse_module(text, "test")))),
        machine(machine::load("avx512-zen4")),
        threads(team) {
    machine.barrier_s *= barriers;
    functions = schedule::default_schedule(module, machine, threads);
  }

  std::vector<plan::RegionSearch> fuse(search::Method method, std::int64_t visits, std::uint64_t seed = 1) {
    functions = schedule::default_schedule(module, machine, threads);
    return compile::fuse(functions, machine, {threads, Fusion::kWherePaid, {method, visits, seed}});
  }

  double seconds() {
    double sum = 0;
    std::map<const ir::Function*, buffer::FunctionPlan> plans;
    for (auto& function : functions) {
      plans[function.function] = buffer::plan_buffers(function, plans);
      for (const auto& op : function.ops) sum += op.is_call() || !op.has_code() ? 0 : op.predicted_s;
      if (threads > 1) sum += machine.barrier_s * buffer::barriers_of(function, buffer::plan_apart(function, plans));
    }
    return sum;
  }

  // "exp neg+mul": the regions of the last function.
  std::string regions() const {
    std::string text;
    for (const auto& op : functions.back().ops) {
      if (!op.has_code() || op.is_call()) continue;
      text += text.empty() ? "" : " ";
      for (const auto& part : op.parts) text += part.value == op.value ? "" : part.value->op->name() + "+";
      text += op.value->op->name();
    }
    return text;
  }
};

// What reads %0 first keeps it from what reads it later, and itself from what reads its own result.
std::string crossing(int times) {
  std::string body;
  std::string x = "%x";
  const std::string type = " : f32[512, 512]\n";
  for (int i = 0; i < times; ++i) {
    const auto name = [&](int number) { return "%" + std::to_string(5 * i + number); };
    body += "    " + name(0) + " = exp(" + x + ")" + type;
    body += "    " + name(1) + " = neg(" + name(0) + ")" + type;
    body += "    " + name(2) + " = silu(" + name(0) + ")" + type;
    body += "    " + name(3) + " = transpose(" + name(2) + ") {perm = [1, 0]}" + type;
    body += "    " + name(4) + " = mul(" + name(1) + ", " + name(3) + ")" + type;
    x = name(4);
  }
  return "module m {\n  func @f(%x: f32[512, 512]) {\n" + body + "    return " + x + "\n  }\n}\n";
}

TEST(RegionSearch, FindsWhatGreedyMisses) {
  for (const int threads : {1, 2, 8}) {
    Scheduled one(crossing(1), threads);
    one.fuse(search::Method::kGreedy, 100);
    const double greedy = one.seconds();
    EXPECT_EQ(one.regions(), "exp+neg silu mul") << threads;
    const auto all = one.fuse(search::Method::kExhaustive, 100);
    EXPECT_EQ(one.regions(), "exp+silu neg+mul") << threads;
    const auto found = one.fuse(search::Method::kUct, 100);
    EXPECT_EQ(one.regions(), "exp+silu neg+mul") << threads;
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].method, "exhaustive");
    EXPECT_EQ(found[0].stop_reason, "exhausted");
    EXPECT_EQ(found[0].after_s, all[0].after_s);
    EXPECT_DOUBLE_EQ(found[0].greedy_s, greedy);
    EXPECT_LT(found[0].after_s, greedy);
  }
}

// Where there are too many states for all of them.
TEST(RegionSearch, FindsItByTreeSearch) {
  Scheduled many(crossing(3), 2);
  const auto greedy = many.fuse(search::Method::kGreedy, 0);
  const auto all = many.fuse(search::Method::kExhaustive, 100'000);
  ASSERT_EQ(all[0].stop_reason, "exhausted");
  const std::int64_t visits = all[0].states / 2;
  const auto found = many.fuse(search::Method::kUct, visits);
  EXPECT_EQ(found[0].method, "uct");
  EXPECT_LE(found[0].states, visits);
  EXPECT_LT(all[0].after_s, greedy[0].after_s);
  EXPECT_DOUBLE_EQ(found[0].after_s, all[0].after_s) << all[0].states;
}

// Three sums of rows give work to three threads of eight: the exp in their loop would take longer than by itself, by
// less than a hundred barriers.
TEST(RegionSearch, DearerBarriersJoinMoreOps) {
  const std::string text =
      "module m {\n  func @f(%x: f32[3, 8192]<16@1>) {\n    %0 = exp(%x) : f32[3, 8192]<16@1>\n    %1 = reduce_sum(%0) "
      ": "
      "f32[3]\n    return %1\n  }\n}\n";
  Scheduled cheap(text, 8);
  cheap.fuse(search::Method::kExhaustive, 100);
  EXPECT_EQ(cheap.regions(), "exp reduce_sum");
  Scheduled dear(text, 8, 100);
  dear.fuse(search::Method::kExhaustive, 100);
  EXPECT_EQ(dear.regions(), "exp+reduce_sum");
}

std::string plan_text(const Scheduled& scheduled) {
  std::string text;
  for (const auto& function : scheduled.functions) {
    for (const auto& op : function.ops) text += to_text(op.tree, scheduled.machine) + "\n";
  }
  return text;
}

TEST(RegionSearch, OneSeedGivesOnePlan) {
  Scheduled a(crossing(4), 2);
  Scheduled b(crossing(4), 2);
  const auto first = a.fuse(search::Method::kUct, 100, 5);
  const auto second = b.fuse(search::Method::kUct, 100, 5);
  EXPECT_EQ(plan_text(a), plan_text(b));
  EXPECT_EQ(first[0].curve, second[0].curve);
  EXPECT_EQ(first[0].states, second[0].states);
}

// Of every state that a search may come to: its regions are regions for region_of() too, trees and barriers hold, and
// its cost is what a plan made anew costs.
TEST(RegionSpace, StatesAreWhatRegionsAre) {
  Scheduled scheduled(crossing(2), 2);
  auto& function = scheduled.functions[0];
  const std::map<const ir::Function*, buffer::FunctionPlan> none;
  RegionSpace space(function, none, scheduled.machine, 2);
  std::vector<search::State> states = {space.start()};
  std::map<search::State, int> seen = {{states[0], 0}};
  for (std::size_t i = 0; i < states.size(); ++i) {
    for (search::Move& move : space.moves(search::State(states[i]))) {
      if (seen.try_emplace(move.to, 0).second) states.push_back(move.to);
    }
    for (search::Move& move : space.undos(search::State(states[i]))) {
      if (seen.try_emplace(move.to, 0).second) states.push_back(move.to);
    }
  }
  EXPECT_GT(states.size(), 20U);
  for (const search::State& state : states) {
    const double cost = space.cost(state);
    space.take(state);
    EXPECT_NEAR(cost, scheduled.seconds(), 1e-9 * cost);
    EXPECT_NO_THROW(schedule::verify(function, scheduled.machine));
    for (std::size_t op = 0; op < function.ops.size(); ++op) {
      if (function.ops[op].parts.empty()) continue;
      const auto again = schedule::region_of(function, schedule::members(function, op), scheduled.machine);
      ASSERT_TRUE(std::holds_alternative<schedule::ScheduledOp>(again));
    }
    // The space goes on with the function as it was.
    for (std::size_t op = 0; op < function.ops.size(); ++op) {
      if (!function.ops[op].parts.empty()) schedule::dissolve(function, op);
    }
  }
}

// %0 is read before %3: no region of these.
TEST(RegionSpace, WhatIsNoRegionIsNotReached) {
  Scheduled scheduled(crossing(1), 2);
  const std::map<const ir::Function*, buffer::FunctionPlan> none;
  RegionSpace space(scheduled.functions[0], none, scheduled.machine, 2);
  const auto leads_to = [&](const search::State& from, const search::State& to) {
    const auto leads = [&](const search::Move& move) { return move.to == to; };
    return std::ranges::any_of(space.moves(from), leads) || std::ranges::any_of(space.undos(from), leads);
  };
  EXPECT_TRUE(leads_to({0, 1, 2, 3, 4}, {1, 1, 2, 3, 4}));
  EXPECT_FALSE(leads_to({0, 1, 2, 3, 4}, {2, 1, 2, 3, 4}));  // %1 reads %0 before
  EXPECT_TRUE(leads_to({0, 4, 2, 3, 4}, {2, 4, 2, 3, 4}));
  EXPECT_FALSE(leads_to({2, 4, 2, 3, 4}, {2, 1, 2, 3, 4}));  // nor may it be moved before
  EXPECT_TRUE(leads_to({2, 4, 2, 3, 4}, {0, 4, 2, 3, 4}));
}

TEST(RegionSearch, RandomGraphsAreNeverWorseThanGreedyAndExhaustedWhereFew) {
  ops::register_all();
  int better = 0, exhausted = 0, choices = 0;
  for (std::size_t seed = 1; seed <= sweep_size(60, 2000); ++seed) {
    SCOPED_TRACE(seed);
    Scheduled scheduled(RandomGraph(seed).write(), 1 + static_cast<int>(seed % 3) * 3, seed % 2 == 0 ? 1 : 100);
    scheduled.fuse(search::Method::kGreedy, 0);
    const double greedy = scheduled.seconds();
    const auto all = scheduled.fuse(search::Method::kExhaustive, 2000);
    const double optimum = scheduled.seconds();
    const bool is_known = std::ranges::all_of(all, [](const auto& a) { return a.stop_reason == "exhausted"; });
    const auto found = scheduled.fuse(search::Method::kUct, 1000);
    EXPECT_LE(scheduled.seconds(), greedy * (1 + 1e-9));
    for (const auto& function : scheduled.functions) EXPECT_NO_THROW(schedule::verify(function, scheduled.machine));
    choices += found.empty() ? 0 : 1;
    better += scheduled.seconds() < greedy * (1 - 1e-9) ? 1 : 0;
    const bool is_exhausted = std::ranges::all_of(found, [](const auto& f) { return f.stop_reason == "exhausted"; });
    if (!is_known || !is_exhausted || found.empty()) continue;
    ++exhausted;
    EXPECT_NEAR(scheduled.seconds(), optimum, 1e-9 * optimum);
  }
  RecordProperty("better", better);
  if (kIsSanitized && !is_soak()) return;  // too few to tell
  EXPECT_GT(choices, 30);
  EXPECT_GT(exhausted, 30);
  EXPECT_GT(better, 0);
}

// Visits go where the weight is; none of them: as greedily.
TEST(RegionSearch, BudgetsFollowTheWeights) {
  Scheduled scheduled(crossing(5), 2);
  const auto fuse_with = [&](std::int64_t visits, std::vector<double> weights) {
    scheduled.functions = schedule::default_schedule(scheduled.module, scheduled.machine, 2);
    return compile::fuse(scheduled.functions, scheduled.machine,
                         {2, Fusion::kWherePaid, {.visits = visits}, std::move(weights)});
  };
  EXPECT_LE(fuse_with(300, {1})[0].states, 300);
  const auto greedy = scheduled.fuse(search::Method::kGreedy, 0);
  const auto none = fuse_with(300, {0});
  EXPECT_EQ(none[0].states, greedy[0].states);
  EXPECT_EQ(none[0].after_s, greedy[0].after_s);
  EXPECT_EQ(share(100, 0, 4), 0);
  EXPECT_EQ(share(100, 1, 4), 25);
  EXPECT_EQ(share(100, 4, 4), 100);
}

TEST(RegionSearch, AFunctionWithoutAChoiceHasNoWeight) {
  Scheduled scheduled(
      "module m {\n  func @g(%x: f32[64]) {\n    %0 = exp(%x) : f32[64]\n    return %0\n  }\n"
      "  func @f(%x: f32[64]) {\n    %0 = exp(%x) : f32[64]\n    %1 = neg(%0) : f32[64]\n    return %1\n  }\n}\n",
      1);
  const std::vector<double> weights = default_weights(scheduled.functions, scheduled.machine);
  ASSERT_EQ(weights.size(), 2U);
  EXPECT_EQ(weights[0], 0);
  EXPECT_GT(weights[1], 0);
  EXPECT_EQ(scheduled.fuse(search::Method::kUct, 100).size(), 1U);
}

}  // namespace
}  // namespace strata::compile
