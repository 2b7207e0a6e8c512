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

// What threads work in is not in the arena; a caller's is as much as its callees'.
TEST_F(BufferPlanTest, ScratchMemoryIsThatOfTheLargestOp) {
  plan(R"(  symbol seq in 1..512
  func @g(%x: f32[seq, 64]<6@0>) {
    %0 = weight "w" : f16[96, 64]<16@0>
    %1 = matmul_nt(%x, %0) : f32[seq, 96]
    return %1
  }
  func @f(%x: f32[seq, 64]<6@0>, %y: f32[seq, 32]<6@0>) {
    %0 = call @g(%x) : (f32[seq, 96])
    %1 = weight "v" : f16[96, 32]<16@0>
    %2 = matmul_nt(%y, %1) : f32[seq, 96]
    return %0, %2
  }
)");
  constexpr int kPanels = 3;  // 96 columns are two groups of these
  EXPECT_EQ(of("g").scratch_bytes, kPanels * 16 * 64 * 4);
  EXPECT_EQ(of("f").scratch_bytes, kPanels * 16 * 64 * 4);
  EXPECT_EQ(of("f").scratch.at(result("f", 1)).bytes, kPanels * 16 * 32 * 4);
  EXPECT_EQ(of("f").arena_bytes, 0);
}

// Buffers of cases that exclude one another, or of lists that follow one another, take the same place.
TEST(ScratchPlan, ABufferLiesAboveThoseThatAreThereAlready) {
  ops::register_all();
  const machine::Machine machine = machine::load("avx512-zen5");
  schedule::TileTree tree;
  tree.iterators = {{"i", ir::Dim(512)}};
  tree.body = schedule::parse_tile_tree(
      "buffer a: f32[1] once { buffer b: f32[17] } when i <= 4 { buffer c: bf16[2] buffer d: f32[3] } else { buffer e: "
      "f32[64] }",
      "test", tree, machine);
  const ScratchPlan plan = plan_scratch(tree);
  EXPECT_EQ(plan.offsets, (std::map<std::string, std::int64_t>{{"a", 0}, {"b", 64}, {"c", 64}, {"d", 128}, {"e", 64}}));
  EXPECT_EQ(plan.bytes, 64 + 256);
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

// Random chains with long and short uses: what is live at one time never overlaps, the bound is the most that is live
// at one time, and the peak stays near it.
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
    std::int64_t most = 0;
    for (std::size_t t = 0; t < ops.size(); ++t) {
      std::int64_t live = 0;
      for (std::size_t made = 0; made <= t; ++made) {
        const Place& place = of("f").place(ops[made].value);
        const bool is_live = made == t || last[ops[made].value] >= t;
        if (place.kind == Place::Kind::kArena && is_live) live += place.bytes;
      }
      most = std::max(most, live);
    }
    EXPECT_EQ(of("f").lower_bound, most);
    EXPECT_GE(of("f").arena_bytes, most);
    EXPECT_LE(of("f").arena_bytes, most + most / 4);
  }
}

}  // namespace
}  // namespace strata::buffer
