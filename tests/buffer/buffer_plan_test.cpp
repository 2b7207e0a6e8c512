// SPDX-License-Identifier: Apache-2.0
#include "buffer/buffer_plan.h"

#include <gtest/gtest.h>

#include <random>

#include "ir/op.h"
#include "ir/text.h"
#include "ops/register.h"

namespace strata::buffer {
namespace {

class BufferPlanTest : public testing::Test {
 protected:
  void plan(const std::string& body) {
    ops::register_all();
    module_.emplace(ir::parse_module("module m {\n" + body + "}\n", "test"));
    schedule_ = schedule::default_schedule(*module_, machine::load("avx512-zen5"));
    plans_ = plan_buffers(schedule_);
  }
  const FunctionPlan& of(const std::string& name) const { return plans_.at(module_->find(name)); }
  const ir::Expr* result(const std::string& name, std::size_t index = 0) const {
    return module_->find(name)->results[index];
  }

  std::optional<ir::Module> module_;
  std::vector<schedule::ScheduledFunction> schedule_;
  std::map<const ir::Function*, FunctionPlan> plans_;
};

TEST_F(BufferPlanTest, ResultsGoToTheCallersDestination) {
  plan("  func @f(%x: f32[16]) {\n    %0 = exp(%x) : f32[16]\n    return %0\n  }\n");
  EXPECT_EQ(of("f").place(result("f")).kind, Place::Kind::kResult);
  EXPECT_EQ(of("f").arena_bytes, 0);
}

TEST_F(BufferPlanTest, AViewHasItsOperandsMemory) {
  plan(R"(  func @f(%x: f32[16]) {
    %0 = exp(%x) : f32[16]
    %1 = reshape(%0) {shape = [4, 4]} : f32[4, 4]
    %2 = exp(%1) : f32[4, 4]
    return %2
  }
)");
  const ir::Expr* view = result("f")->arguments[0];
  EXPECT_EQ(of("f").place(view), of("f").place(view->arguments[0]));
  EXPECT_EQ(of("f").arena_bytes, 64);
}

// The base lives as long as the last view of it; the views overlap it where they lie.
TEST_F(BufferPlanTest, ASliceLiesInsideItsOperand) {
  plan(R"(  func @f(%x: f32[4, 64]) {
    %0 = exp(%x) : f32[4, 64]
    %1 = slice(%0) {axis = 1, begin = 8, end = 24} : f32[4, 16]
    %2 = transpose(%1) {perm = [1, 0]} : f32[16, 4]
    %3 = silu(%x) : f32[4, 64]
    %4 = reduce_sum(%3) : f32[4]
    %5 = add(%2, %4) : f32[16, 4]
    return %5
  }
)");
  const ir::Expr* transposed = result("f")->arguments[0];
  const ir::Expr* base = transposed->arguments[0]->arguments[0];
  const Place& memory = of("f").place(base);
  EXPECT_EQ(of("f").place(transposed), (Place{Place::Kind::kArena, 0, memory.offset + 32, 4 * (3 * 64 + 15 + 1)}));
  const Place& other = of("f").place(result("f")->arguments[1]->arguments[0]);
  EXPECT_TRUE(memory.offset + memory.bytes <= other.offset || other.offset + other.bytes <= memory.offset);
  EXPECT_EQ(of("f").arena_bytes, 2 * 1024 + 64);
}

TEST_F(BufferPlanTest, AChainNeedsTwoBuffersHoweverLong) {
  std::string body = "  func @f(%x: f32[64]) {\n    %0 = exp(%x) : f32[64]\n";
  for (int i = 1; i < 9; ++i)
    body += "    %" + std::to_string(i) + " = exp(%" + std::to_string(i - 1) + ") : f32[64]\n";
  plan(body + "    return %8\n  }\n");
  EXPECT_EQ(of("f").arena_bytes, 2 * 256);
  EXPECT_EQ(of("f").lower_bound, 2 * 256);
}

// The operand is read while the result is written: they must not share memory.
TEST_F(BufferPlanTest, AnOpsResultNeverOverlapsItsOperand) {
  plan(R"(  func @f(%x: f32[64]) {
    %0 = exp(%x) : f32[64]
    %1 = exp(%0) : f32[64]
    %2 = exp(%1) : f32[64]
    return %2
  }
)");
  const ir::Expr* second = result("f")->arguments[0];
  EXPECT_NE(of("f").place(second).offset, of("f").place(second->arguments[0]).offset);
}

TEST_F(BufferPlanTest, AnUpdateInPlaceReturnsItsParameter) {
  plan(R"(  symbol ctx in 64..128 multiple 64
  func @f(%c: f32[2, ctx, 8], %x: f32[1, 2, 8], %p: i32[1]) {
    %0 = cache_append(%c, %x, %p) : f32[2, ctx, 8]
    return %0
  }
)");
  EXPECT_EQ(of("f").results[0].parameter, 0);
  EXPECT_EQ(of("f").arena_bytes, 0);
}

TEST_F(BufferPlanTest, ACalleesFrameLiesAboveWhatIsLiveAtTheCall) {
  plan(R"(  func @g(%x: f32[64]) {
    %0 = exp(%x) : f32[64]
    %1 = exp(%0) : f32[64]
    return %1
  }
  func @f(%x: f32[64]) {
    %0 = exp(%x) : f32[64]
    %1 = call @g(%0) : (f32[64])
    %2 = add(%0, %1) : f32[64]
    return %2
  }
)");
  EXPECT_EQ(of("g").arena_bytes, 256);
  EXPECT_EQ(of("f").arena_bytes, 3 * 256);
  EXPECT_EQ(of("f").lower_bound, 3 * 256);
}

TEST_F(BufferPlanTest, SymbolicSizesArePlannedAtTheirUpperBound) {
  plan(R"(  symbol seq in 1..10
  func @f(%x: f32[seq, 16]) {
    %0 = exp(%x) : f32[seq, 16]
    %1 = exp(%0) : f32[seq, 16]
    return %1
  }
)");
  EXPECT_EQ(of("f").arena_bytes, 640);
}

// Random chains with long and short uses: what is live at one time never overlaps, and the peak stays near its bound.
TEST_F(BufferPlanTest, LiveBuffersAreDisjointInRandomPrograms) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 50; ++round) {
    std::string body = "  func @f(%x: f32[4, 16]) {\n    %0 = exp(%x) : f32[4, 16]\n";
    for (int i = 1; i < 30; ++i) {
      const std::string a = std::to_string(random() % static_cast<unsigned>(i));
      const std::string b =
          std::to_string(i - 1 - static_cast<int>(random() % std::min<unsigned>(3, static_cast<unsigned>(i))));
      body += "    %" + std::to_string(i) + " = add(%" + a + ", %" + b + ") : f32[4, 16]\n";
    }
    plan(body + "    return %29\n  }\n");
    const auto& ops = schedule_[0].ops;
    std::map<const ir::Expr*, std::size_t> last;
    for (std::size_t t = 0; t < ops.size(); ++t) {
      for (const ir::Expr* argument : ops[t].value->arguments) last[argument] = t;
    }
    for (std::size_t t = 0; t < ops.size(); ++t) {
      for (std::size_t u = t + 1; u < ops.size(); ++u) {
        const Place& a = of("f").place(ops[t].value);
        const Place& b = of("f").place(ops[u].value);
        if (a.kind != Place::Kind::kArena || b.kind != Place::Kind::kArena || last[ops[t].value] < u) continue;
        EXPECT_TRUE(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset) << "ops " << t << " and " << u;
      }
    }
    EXPECT_GE(of("f").arena_bytes, of("f").lower_bound);
  }
}

}  // namespace
}  // namespace strata::buffer
