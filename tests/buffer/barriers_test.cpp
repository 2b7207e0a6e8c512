// SPDX-License-Identifier: Apache-2.0
#include "buffer/barriers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "buffer/touches.h"
#include "ir/text.h"
#include "ops/register.h"
#include "schedule/attention_tree.h"
#include "schedule/schedule_text.h"

namespace strata::buffer {
namespace {

struct Planned {
  ir::Module module;
  std::vector<schedule::ScheduledFunction> functions;
  std::map<const ir::Function*, FunctionPlan> plans;

  explicit Planned(const std::string& text)
      : module((ops::register_all(), ir::parse_module("module m {\n  symbol seq in 1..64\n" + text + "}\n", "test"))),
        functions(schedule::default_schedule(module, machine::load("avx512-zen5"))),
        plans(plan_buffers(functions)) {
    place_barriers(functions, plans);
  }

  schedule::ScheduledFunction& last() { return functions.back(); }

  // The last function's values that are no views, and its barriers: "%0 | %1 |".
  std::string order() {
    const auto names = ir::value_names(*last().function);
    std::string text;
    for (const auto& op : last().ops) {
      if (op.is_view()) continue;
      text += (schedule::first_barrier(op.tree) != nullptr ? "| " : "") + names.at(op.value) + " ";
    }
    return text + (schedule::first_barrier(last().end) != nullptr ? "|" : "");
  }

  // Of the last function's op of this number.
  void compute_in_each_thread(std::size_t op) {
    for (auto& function : functions) {
      function.end.body.clear();
      for (auto& other : function.ops) std::erase_if(other.tree.body, is_barrier);
    }
    last().ops[op].tree = *schedule::in_each_thread(last().ops[op].tree);
    plans = plan_buffers(functions);
    place_barriers(functions, plans);
  }

  static bool is_barrier(const schedule::TileNode& node) { return node.kind == schedule::TileNode::Kind::kBarrier; }

  // What the verifier says: "" where no barrier is missing.
  std::string verdict() {
    try {
      for (const auto& function : functions) verify_barriers(function, plans.at(function.function));
    } catch (const std::logic_error& error) {
      return error.what();
    }
    return "";
  }
};

std::string order(const std::string& text) {
  Planned planned(text);
  EXPECT_EQ(planned.verdict(), "");
  return planned.order();
}

// exp and neg run through the same elements in the same steps, so every thread reads what it wrote.
TEST(Barriers, NoneBetweenOpsThatAreDividedAlike) {
  EXPECT_EQ(order("  func @f(%x: f32[seq, 1024]) {\n    %0 = exp(%x) : f32[seq, 1024]\n    %1 = neg(%0) : f32[seq, "
                  "1024]\n    %2 = mul(%1, %0) : f32[seq, 1024]\n    return %2\n  }\n"),
            "%0 %1 %2 |");
}

// By elements and by rows are two divisions.
TEST(Barriers, WhereTheDivisionChanges) {
  EXPECT_EQ(order("  func @f(%x: f32[seq, 1024], %w: f32[1024]) {\n    %0 = exp(%x) : f32[seq, 1024]\n    %1 = "
                  "rms_norm(%0, %w) {eps = 1e-06} : f32[seq, 1024]\n    %2 = softmax(%1) : f32[seq, 1024]\n    return "
                  "%2\n  }\n"),
            "%0 | %1 %2 |");
}

// A thread writes into the cache the heads that it made: rotated in one loop over tokens and heads, of which one token
// is none. Of the norm, which is divided alike, too.
TEST(Barriers, NoneBeforeAnUpdateOfTheSameHeads) {
  const std::string text =
      "  func @f(%x: f32[1, 8, 128], %w: f32[128], %c: f32[8, 64, 128], %at: i32[1]) {\n    %0 = rms_norm(%x, %w) {eps "
      "= "
      "1e-06} : f32[1, 8, 128]\n    %1 = cache_append(%c, %0, %at) : f32[8, 64, 128]\n    return %1\n  }\n";
  EXPECT_EQ(order(text), "%0 %1 |");
}

constexpr const char* kNormAndProduct =
    "  func @f(%x: f32[1, 1024], %w: f32[1024]) {\n    %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[1, 1024]\n    %1 = "
    "weight \"w\" : f32[96, 1024]<16@0>\n    %2 = matmul_nt(%0, %1) : f32[1, 96]\n    return %2\n  }\n";

// Each thread reads what it made itself.
TEST(Barriers, NoneBehindWhatEachThreadMakes) {
  Planned planned(kNormAndProduct);
  EXPECT_EQ(planned.order(), "%0 | %2 |");
  planned.compute_in_each_thread(0);
  EXPECT_EQ(planned.order(), "%0 %2 |");
  EXPECT_EQ(planned.verdict(), "");
  const FunctionPlan& plan = planned.plans.at(planned.last().function);
  EXPECT_EQ(plan.place(planned.last().ops[0].value).kind, Place::Kind::kOwn);
  EXPECT_EQ(plan.arena_bytes, 0);
  EXPECT_EQ(plan.scratch_bytes, 4096);
}

// The norm is what the function returns: one memory, that of the caller.
TEST(Barriers, NothingThatIsReturnedIsMadeByEachThread) {
  Planned planned(
      "  func @f(%x: f32[1, 1024], %w: f32[1024]) {\n    %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[1, 1024]\n    "
      "return "
      "%0\n  }\n");
  planned.compute_in_each_thread(0);
  EXPECT_EQ(planned.verdict(), "@f: %0 is made by each thread in memory that they share");
}

// What is called works in the same scratch memory.
TEST(Barriers, NothingIsMadeByEachThreadBesideCalls) {
  Planned planned(
      "  func @g(%x: f32[1, 1024]) {\n    %0 = exp(%x) : f32[1, 1024]\n    return %0\n  }\n  func @f(%x: f32[1, 1024], "
      "%w: f32[1024]) {\n    %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[1, 1024]\n    %1 = call @g(%0) : f32[1, 1024]\n"
      "    return %1\n  }\n");
  planned.compute_in_each_thread(0);
  EXPECT_EQ(planned.verdict(), "@f: what each thread makes lies where the functions that are called work");
}

// An attention whose context is in two parts, between an exp and a norm of its result, which are divided unlike.
Planned split_attention() {
  Planned planned(
      "  func @f(%x: f32[seq, 1024], %w: f32[1024], %q: f32[1, 4, 32], %k: f32[2, 64, 32], %v: f32[2, 64, 32], "
      "%p: i32[1]) {\n    %0 = exp(%x) : f32[seq, 1024]\n    %1 = attention(%q, %k, %v, %p) {scale = 0.25} : "
      "f32[1, 4, 32]\n    %2 = rms_norm(%0, %w) {eps = 1e-06} : f32[seq, 1024]\n    return %0, %1, %2\n  }\n");
  EXPECT_EQ(planned.order(), "%0 %1 | %2 |");
  remove_barriers(planned.functions);
  schedule::ScheduledOp& op = planned.last().ops[1];
  op.tree = schedule::attention_tree(op, machine::load("avx512-zen5"), {.parts = 2});
  planned.plans = plan_buffers(planned.functions);
  place_barriers(planned.functions, planned.plans);
  return planned;
}

// All threads wait in the attention.
TEST(Barriers, OneInsideOfAnOpFinishesWhatWasBefore) {
  Planned planned = split_attention();
  EXPECT_EQ(planned.verdict(), "");
  EXPECT_EQ(planned.order(), "%0 %1 %2 |");
  remove_barriers(planned.functions);
  EXPECT_TRUE(schedule::has_barrier_inside(planned.last().ops[1].tree)) << "it is the op's own";
  std::erase_if(planned.last().ops[1].tree.body, Planned::is_barrier);
  EXPECT_NE(planned.verdict().find("a barrier is missing before %2"), std::string::npos);
}

// The threads' shared buffer lies in the arena while the op runs: a slot for each of two heads' two parts.
TEST(Barriers, ASharedBufferIsMemoryOfAllThreads) {
  const Planned planned = split_attention();
  const schedule::ScheduledOp& op = planned.functions.back().ops[1];
  const FunctionPlan& plan = planned.plans.at(planned.functions.back().function);
  const SharedBuffer& running = plan.scratch.at(op.value).shared.at("running");
  EXPECT_EQ(running.bytes, 2 * 2 * 80 * 4);
  EXPECT_EQ(plan.arena_bytes, running.offset + running.bytes);
  EXPECT_FALSE(plan.scratch.at(op.value).offsets.contains("running"));
  const std::vector<Touch> touched = touches(op, plan);
  EXPECT_TRUE(std::ranges::any_of(touched, [&](const Touch& touch) {
    return touch.is_written && touch.place.kind == Place::Kind::kArena && touch.place.bytes == running.bytes &&
           touch.share.kind == Share::Kind::kAny;
  }));
}

// Half of the heads are another division.
TEST(Barriers, BeforeAnUpdateOfOtherHeads) {
  const std::string text =
      "  func @f(%x: f32[1, 16, 128], %w: f32[128], %c: f32[8, 64, 128], %at: i32[1]) {\n    %0 = rms_norm(%x, %w) "
      "{eps "
      "= 1e-06} : f32[1, 16, 128]\n    %1 = slice(%0) {axis = 1, begin = 0, end = 8} : f32[1, 8, 128]\n    %2 = "
      "cache_append(%c, %1, %at) : f32[8, 64, 128]\n    return %2\n  }\n";
  EXPECT_EQ(order(text), "%0 | %2 |");
}

// A few elements are one step of the first thread, and so is what one thread alone makes.
TEST(Barriers, NoneBetweenOpsOfTheFirstThread) {
  EXPECT_EQ(
      order("  func @f(%x: f32[1, 1024], %w: f32[1024]) {\n    %0 = exp(%x) : f32[1, 1024]\n    %1 = "
            "rms_norm(%0, %w) {eps = 1e-06} : f32[1, 1024]\n    %2 = weight \"w\" : f32[96, 1024]<16@0>\n    %3 = "
            "matmul_nt(%1, %2) : f32[1, 96]\n    return %3\n  }\n"),
      "%0 %1 | %3 |");
}

// Rows of a slice lie in rows of the whole; those of a transposition don't.
TEST(Barriers, PartsOfARowStayWithItsThread) {
  const std::string begin =
      "  func @f(%x: f32[seq, 64], %w: f32[64], %v: f32[32]) {\n    %0 = rms_norm(%x, %w) {eps = "
      "1e-06} : f32[seq, 64]\n";
  EXPECT_EQ(
      order(begin +
            "    %1 = slice(%0) {axis = 1, begin = 32, end = 64} : f32[seq, 32]\n    %2 = rms_norm(%1, %v) {eps = "
            "1e-06} : f32[seq, 32]\n    return %2\n  }\n"),
      "%0 %2 |");
  EXPECT_EQ(
      order(begin + "    %1 = transpose(%0) {perm = [1, 0]} : f32[64, seq]\n    %2 = softmax(%1) : f32[64, seq]\n    "
                    "return %2\n  }\n"),
      "%0 | %2 |");
}

// %3 is written where %0 lay, which other threads may still be reading for %1.
TEST(Barriers, BeforeMemoryIsUsedAgain) {
  Planned planned(
      "  func @f(%x: f32[64, 64], %y: f32[64]) {\n    %0 = exp(%x) : f32[64, 64]\n    %1 = reduce_sum(%0) : f32[64]\n"
      "    %2 = add(%1, %y) : f32[64]\n    %3 = neg(%x) : f32[64, 64]\n    %4 = transpose(%3) {perm = [1, 0]} : "
      "f32[64, "
      "64]\n    %5 = add(%2, %4) : f32[64, 64]\n    return %5\n  }\n");
  const auto& ops = planned.last().ops;
  const auto& plan = planned.plans.at(planned.last().function);
  const Place &before = plan.place(ops[0].value), &now = plan.place(ops[3].value);
  ASSERT_LT(now.offset, before.offset + before.bytes);
  ASSERT_LT(before.offset, now.offset + now.bytes);
  EXPECT_EQ(planned.order(), "%0 | %1 | %2 %3 | %5 |");
}

TEST(Barriers, AroundCalls) {
  EXPECT_EQ(
      order("  func @g(%x: f32[1, 64]) {\n    %0 = exp(%x) : f32[1, 64]\n    return %0\n  }\n"
            "  func @f(%x: f32[1, 64]) {\n    %0 = call @g(%x) : (f32[1, 64])\n    %1 = neg(%0) : f32[1, 64]\n    "
            "%2 = call @g(%1) : (f32[1, 64])\n    return %2\n  }\n"),
      "%0 %1 | %2 ");
}

TEST(BarrierVerifier, MissesEachOneThatIsTakenAway) {
  const std::string text =
      "  func @g(%x: f32[seq, 64]) {\n    %0 = exp(%x) : f32[seq, 64]\n    return %0\n  }\n"
      "  func @f(%x: f32[seq, 64], %w: f32[64]) {\n    %0 = exp(%x) : f32[seq, 64]\n    %1 = rms_norm(%0, %w) {eps = "
      "1e-06} : f32[seq, 64]\n    %2 = call @g(%1) : (f32[seq, 64])\n    %3 = neg(%2) : f32[seq, 64]\n    return "
      "%3\n  }\n";
  EXPECT_EQ(order(text), "%0 | %1 | %2 %3 |");
  const auto without = [&](std::size_t op) {
    Planned planned(text);
    auto& body = planned.last().ops.at(op).tree.body;
    body.erase(body.begin());
    return planned.verdict();
  };
  EXPECT_NE(without(1).find("missing before %1: its threads meet"), std::string::npos) << without(1);
  EXPECT_NE(without(2).find("missing before %2: what is called"), std::string::npos) << without(2);
  Planned open(text);
  open.last().end.body.clear();
  EXPECT_NE(open.verdict().find("missing at the end"), std::string::npos) << open.verdict();
}

TEST(BarrierVerifier, AllowsMoreThanNecessary) {
  Planned planned(
      "  func @f(%x: f32[seq, 64]) {\n    %0 = exp(%x) : f32[seq, 64]\n    %1 = neg(%0) : f32[seq, 64]\n    return "
      "%1\n  }\n");
  for (auto& op : planned.last().ops) {
    op.tree.body.insert(op.tree.body.begin(), schedule::TileNode{.kind = schedule::TileNode::Kind::kBarrier});
  }
  EXPECT_EQ(planned.verdict(), "");
}

constexpr const char* kPrograms[] = {
    "  func @f(%x: f32[seq, 1024], %w: f32[1024]) {\n    %0 = exp(%x) : f32[seq, 1024]\n    %1 = rms_norm(%0, %w) {eps "
    "= "
    "1e-06} : f32[seq, 1024]\n    %2 = add(%0, %1) : f32[seq, 1024]\n    return %2\n  }\n",
    "  func @f(%x: f32[1, 1024]) {\n    %0 = weight \"w\" : f32[96, 1024]<16@0>\n    %1 = weight \"v\" : f32[96, "
    "1024]<16@0>\n    %2 = exp(%x) : f32[1, 1024]\n    %3 = matmul_nt(%2, %0) : f32[1, 96]\n    %4 = matmul_nt(%2, %1) "
    ": f32[1, 96]\n    %5 = mul(%3, %4) : f32[1, 96]\n    return %5\n  }\n",
    "  func @layer(%x: f32[seq, 64]) {\n    %0 = exp(%x) : f32[seq, 64]\n    %1 = softmax(%0) : f32[seq, 64]\n    "
    "return "
    "%1\n  }\n  func @f(%x: f32[seq, 64]) {\n    %0 = neg(%x) : f32[seq, 64]\n    %1 = call @layer(%0) : f32[seq, "
    "64]\n "
    "   %2 = call @layer(%1) : f32[seq, 64]\n    %3 = exp(%2) : f32[seq, 64]\n    return %3\n  }\n",
};

int count_barriers(const schedule::ScheduledFunction& function, const machine::Machine& machine) {
  const std::string text = schedule::to_text({function}, machine);
  int count = 0;
  for (std::size_t at = text.find("barrier\n"); at != std::string::npos; at = text.find("barrier\n", at + 1)) ++count;
  return count;
}

// Those of the trees that code is made from, calls' each time; one thread waits for none.
TEST(Barriers, ThePredictedTimeHasAsManyAsTheTrees) {
  const machine::Machine machine = machine::load("avx512-zen5");
  machine::Machine free = machine;
  free.barrier_s = 0;
  for (const char* const text : kPrograms) {
    for (const int threads : {1, 2, 8}) {
      SCOPED_TRACE(text + std::to_string(threads) + " threads");
      Planned planned(text);
      std::map<const ir::Function*, int> counts;
      std::map<const ir::Function*, double> without;
      schedule::predict(planned.functions, free, threads);
      for (const auto& function : planned.functions) without[function.function] = function.predicted_s;
      schedule::predict(planned.functions, machine, threads);
      for (const auto& function : planned.functions) {
        int& count = counts[function.function];
        count = count_barriers(function, machine);
        EXPECT_GT(count, 0);
        for (const auto& op : function.ops) count += op.is_call() ? counts.at(op.value->callee) : 0;
        const double seconds = function.predicted_s - without.at(function.function);
        EXPECT_NEAR(seconds / machine.barrier_s, threads > 1 && machine.cores > 1 ? count : 0, 1e-6);
      }
    }
  }
}

}  // namespace
}  // namespace strata::buffer
