// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cost/division.h"
#include "ir/text.h"
#include "ops/register.h"
#include "schedule/schedule.h"
#include "schedule/verify.h"
#include "tests/schedule/schedule_testing.h"

namespace strata::schedule {
namespace {

// The trees of @f's ops, on one line: "parallel i0 by 1 { ... }".
std::string trees(const std::string& function, const machine::Machine& machine = zen5()) {
  ops::register_all();
  const ir::Module module = ir::parse_module("module m {\n  symbol seq in 1..512\n" + function + "}\n", "test");
  std::string text;
  for (const auto& scheduled : default_schedule(module, machine)) {
    for (const ScheduledOp& op : scheduled.ops) {
      verify(op, machine);
      text += to_text(op.tree, machine);
    }
  }
  return one_line(text);
}

// Operands packed along the last axis run in vector lanes; where the lanes don't divide it, the last group is ragged.
TEST(DefaultSchedule, MergesTheLoopsOfAnElementwiseOp) {
  EXPECT_EQ(trees("  func @f(%x: f32[seq, 4, 8]<8@2>) {\n    %0 = exp(%x) : f32[seq, 4, 8]<8@2>\n    return %0\n  }\n"),
            "parallel i0i1i2 by 4096 { vector i0i1i2 by 8 { stage 0 } }");
  EXPECT_EQ(
      trees("  func @f(%x: f32[seq, 4, 9]<16~@2>) {\n    %0 = exp(%x) : f32[seq, 4, 9]<16~@2>\n    return %0\n  }\n"),
      "parallel i0i1i2 by 4096 { vector i0i1i2 by 16 { stage 0 } }");
}

TEST(DefaultSchedule, ARowMajorOperandGivesScalarCode) {
  EXPECT_EQ(trees("  func @f(%x: f32[seq, 4, 8]) {\n    %0 = exp(%x) : f32[seq, 4, 8]\n    return %0\n  }\n"),
            "parallel i0i1i2 by 4096 { vector i0i1i2 by 1 { stage 0 } }");
}

// The second operand repeats along seq, so that axis stays a loop of its own.
TEST(DefaultSchedule, KeepsALoopThatABroadcastNeeds) {
  EXPECT_EQ(trees("  func @f(%x: f32[seq, 4, 8]<8@2>, %b: f32[4, 8]<8@1>) {\n    %0 = add(%x, %b) : f32[seq, 4, "
                  "8]<8@2>\n    return %0\n  }\n"),
            "parallel i0 by 1 { serial i0 by 1 { vector i1i2 by 8 { stage 0 } } }");
}

// Lanes where they fit into a block.
TEST(DefaultSchedule, ABlocksScaleIsReadOnceForItsLanes) {
  const auto tree = [](const std::string& blocks) {
    return trees("  func @f(%x: f32[seq, 96]<16@1>, %s: f32[seq, " + blocks +
                 "]) {\n    %0 = scale_blocks(%x, %s) : f32[seq, 96]<16@1>\n    return %0\n  }\n");
  };
  EXPECT_EQ(tree("3"), "parallel i0 by 1 { serial i0 by 1 { vector k by 16 { stage 0 } } }");
  EXPECT_EQ(tree("4"), "parallel i0 by 1 { serial i0 by 1 { vector k by 1 { stage 0 } } }");
}

TEST(DefaultSchedule, DividesTheRowsOfANorm) {
  EXPECT_EQ(trees("  func @f(%x: f32[seq, 64]<16@1>, %w: f32[64]<16@0>) {\n    %0 = rms_norm(%x, %w) {eps = "
                  "1e-06} : f32[seq, 64]<16@1>\n    return %0\n  }\n"),
            "parallel i0 by 1 { serial i0 by 1 { vector k by 16 { stage 0 } vector k by 16 { stage 1 } } }");
}

TEST(DefaultSchedule, AScalarPerRowHasNoVectorLoopOfItsOwn) {
  EXPECT_EQ(trees("  func @f(%x: f32[seq, 64]) {\n    %0 = reduce_sum(%x) : f32[seq]\n    return %0\n  }\n"),
            "parallel i0 by 1 { serial i0 by 1 { vector k by 1 { stage 0 } } }");
}

TEST(DefaultSchedule, OneThreadMakesWhatHasNoLoopToDivide) {
  EXPECT_EQ(trees("  func @f(%x: f32[1, 64]) {\n    %0 = reduce_sum(%x) : f32[1]\n    return %0\n  }\n"),
            "once { serial i0 by 1 { vector k by 1 { stage 0 } } }");
}

// The parts of a tree's parallel loop; 1: it has none.
double parallel_parts(const TileTree& tree) {
  for (const TileNode& node : tree.body) {
    if (node.kind != TileNode::Kind::kParallel) continue;
    const std::int64_t extent = tree.iterators[static_cast<std::size_t>(node.iterator)].extent.max();
    return static_cast<double>((extent + node.step - 1) / node.step);
  }
  return 1;
}

// The search has no tree yet, and must know how many threads find work.
TEST(DefaultSchedule, DividesAnOpAsItsCostSays) {
  ops::register_all();
  const char* const functions[] = {
      "%x: f32[seq, 4, 8]<8@2>) {\n %0 = exp(%x) : f32[seq, 4, 8]<8@2>",
      "%x: f32[1, 3072]<16@1>) {\n %0 = silu(%x) : f32[1, 3072]<16@1>",
      "%x: f32[1, 8192]) {\n %0 = silu(%x) : f32[1, 8192]",
      "%x: f32[seq, 4, 8]<8@2>, %b: f32[4, 8]<8@1>) {\n %0 = add(%x, %b) : f32[seq, 4, 8]<8@2>",
      "%x: f32[seq, 64]<16@1>, %w: f32[64]<16@0>) {\n %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[seq, 64]<16@1>",
      "%x: f32[1, 64]<16@1>, %w: f32[64]<16@0>) {\n %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[1, 64]<16@1>",
      "%x: f32[seq, 4, 64]<16@2>, %w: f32[64]<16@0>) {\n %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[seq, 4, 64]<16@2>",
      "%x: f32[1, 4, 64]<16@2>, %w: f32[64]<16@0>) {\n %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[1, 4, 64]<16@2>",
      "%x: f32[seq, 4, 2, 8], %c: f32[seq, 8], %s: f32[seq, 8]) {\n %0 = rope(%x, %c, %s) : f32[seq, 4, 2, 8]",
      "%x: f32[5, 7]) {\n %0 = softmax(%x) : f32[5, 7]",
      "%x: f32[seq, 64]) {\n %0 = reduce_sum(%x) : f32[seq]",
      "%x: f32[1, 64]) {\n %0 = reduce_sum(%x) : f32[1]",
      "%x: f32[seq, 64]) {\n %0 = pack(%x) {layout = <6@0>} : f32[seq, 64]<6@0>",
      "%x: f32[1, 64], %w: f32[96, 64]<16@0>) {\n %0 = matmul_nt(%x, %w) : f32[1, 96]",
      "%x: f32[seq, 64]<6@0>, %w: f32[96, 64]<16@0>) {\n %0 = matmul_nt(%x, %w) : f32[seq, 96]",
      "%x: f32[512, 64], %t: i32[seq]) {\n %0 = gather(%x, %t) : f32[seq, 64]",
      "%x: f32[2, 64, 8], %y: f32[seq, 2, 8], %p: i32[seq]) {\n %0 = cache_append(%x, %y, %p) : f32[2, 64, 8]",
      "%x: f32[3, 8], %y: f32[5, 8]) {\n %0 = concat(%x, %y) {axis = 0} : f32[8, 8]",
  };
  for (const std::string function : functions) {
    SCOPED_TRACE(function);
    const ir::Module module = ir::parse_module(
        "module m {\n  symbol seq in 1..512\n  func @f(" + function + "\n return %0\n  }\n}\n", "test");
    const auto scheduled = default_schedule(module, zen5());
    const ScheduledOp& op = scheduled[0].ops[0];
    const cost::WorkCounter counter(*op.value->op, op.sources, op.value->attributes, op.value->type(), zen5(), {});
    EXPECT_EQ(cost::pieces(counter, *op.leaf), parallel_parts(op.tree));
  }
}

// As many panels side by side as the machine streams fastest: 4 of f32 on a Zen 5, 1 on a Zen 4.
TEST(DefaultSchedule, OneRowStreamsAsTheMachineDoes) {
  const std::string function =
      "  func @f(%x: f32[1, 64]) {\n    %0 = weight \"w\" : f32[96, 64]<16@0>\n    %1 = "
      "matmul_nt(%x, %0) : f32[1, 96]\n    return %1\n  }\n";
  EXPECT_EQ(trees(function).substr(0, 55), "parallel n by 64 { leaf stream panels 4 ahead 0 localit");
  EXPECT_EQ(trees(function, machine::load("avx512-zen4")).substr(0, 41), "parallel n by 16 { leaf stream panels 1 a");
}

std::string many_rows(const std::string& rows, const std::string& weights, const machine::Machine& machine = zen5()) {
  return trees("  func @f(%x: " + rows + ") {\n    %0 = weight \"w\" : " + weights +
                   "\n    %1 = matmul_nt(%x, %0) : f32[seq, 96]\n    return %1\n  }\n",
               machine);
}

// A single tile of rows reads the panels once, from memory.
TEST(DefaultSchedule, ATileOfRowsIsFetchedAsTheMachineSays) {
  machine::Machine far = zen5();
  far.tile_streams = {{32, 1, 16384, 3}};
  EXPECT_EQ(machine::tile_stream(far, 32), (machine::Stream{32, 1, 16384, 3}));
  EXPECT_EQ(machine::tile_stream(far, 16), (machine::Stream{16, 1, 4096, 2})) << "not listed";
  EXPECT_NE(many_rows("f32[seq, 64]<6@0>", "f32[96, 64]<16@0>", far).find("panels 3 ahead 16384 locality 3"),
            std::string::npos);
}

// A block of rows stays in the L2 cache (1 MiB), twice as deep of bf16; 96 columns are two groups of 3 panels. The
// solver's own tests are in tests/cost/product_tiles_test.cpp.
TEST(DefaultSchedule, BlocksAreWhatTheCacheHolds) {
  EXPECT_EQ(
      many_rows("f32[seq, 2048]<6@0>", "f32[96, 2048]<16@0>"),
      "parallel n by 48 { serial i0 by 108 { serial k by 1024 in L2 { leaf tile panels 3 ahead 4096 locality 2 } } }");
  EXPECT_EQ(
      many_rows("bf16[seq, 2048]<6@0, 2@1>", "bf16[96, 2048]<16@0, 2@1>"),
      "parallel n by 48 { serial i0 by 108 { serial k by 2048 in L2 { leaf tile panels 3 ahead 4096 locality 2 } } }");
  machine::Machine small = zen5();
  for (machine::MemoryLevel& level : small.memory) {
    if (level.name == "L2") level.capacity_bytes /= 4;
  }
  EXPECT_EQ(
      many_rows("f32[seq, 2048]<6@0>", "f32[96, 2048]<16@0>", small),
      "parallel n by 32 { serial i0 by 90 { serial k by 320 in L2 { leaf tile panels 2 ahead 4096 locality 2 } } }");
}

TEST(DefaultSchedule, TilesMayBeFixed) {
  machine::Machine fixed = zen5();
  fixed.has_fixed_tiles = true;
  EXPECT_EQ(
      many_rows("f32[seq, 2048]<6@0>", "f32[96, 2048]<16@0>", fixed),
      "parallel n by 64 { serial i0 by 288 { serial k by 512 in L2 { leaf tile panels 4 ahead 4096 locality 2 } } }");
}

TEST(DefaultSchedule, FewRowsHaveALeafOfTheirOwn) {
  EXPECT_EQ(
      many_rows("f32[seq, 64]<6@0>", "f16[96, 64]<16@0>"),
      "parallel n by 48 { when i0 <= 24 { serial i0 by 516 { serial k by 64 in L2 { leaf tile panels 3 ahead 4096 "
      "locality 2 } } } "
      "else { serial i0 by 516 { serial k by 64 in L2 { buffer widened: f32[3072] in L1 leaf tile-widened panels 3 "
      "with widened } } } }");
}

TEST(DefaultSchedule, AViewHasNoTree) {
  EXPECT_EQ(trees("  func @f(%x: f32[4, 8]) {\n    %0 = exp(%x) : f32[4, 8]\n    %1 = reshape(%0) {shape = [32]} : "
                  "f32[32]\n    return %1\n  }\n"),
            "parallel i0i1 by 4096 { vector i0i1 by 1 { stage 0 } }");
}

// Strides and offset of the last op of @f, "copy" where it is none.
std::string view(const std::string& parameters, const std::string& body) {
  ops::register_all();
  const ir::Module module = ir::parse_module(
      "module m {\n  symbol seq in 2..32\n  func @f(" + parameters + ") {\n" + body + "    return %r\n  }\n}\n",
      "test");
  const auto scheduled = default_schedule(module, machine::load("avx512-zen5"));
  const ScheduledOp& op = scheduled[0].ops[scheduled[0].ops.size() - 2];  // the last one uses it
  return op.is_view() ? to_text(op.view) : "copy";
}

TEST(Views, ComposeStrides) {
  EXPECT_EQ(
      view("%x: f32[seq, 48]",
           "    %0 = slice(%x) {axis = 1, begin = 8, end = 40} : f32[seq, 32]\n    %1 = reshape(%0) {shape = [-1, "
           "2, 16]} : f32[seq, 2, 16]\n    %r = exp(%1) : f32[seq, 2, 16]\n"),
      "[48, 16, 1]");
  EXPECT_EQ(
      view("%x: f32[6, 4, 8]",
           "    %0 = transpose(%x) {perm = [2, 0, 1]} : f32[8, 6, 4]\n    %1 = slice(%0) {axis = 1, begin = 2, end "
           "= 5} : f32[8, 3, 4]\n    %r = exp(%1) : f32[8, 3, 4]\n"),
      "[1, 32, 8] at 64");
  EXPECT_EQ(
      view("%x: f32[4, seq]", "    %0 = transpose(%x) {perm = [1, 0]} : f32[seq, 4]\n    %r = exp(%0) : f32[seq, 4]\n"),
      "[1, seq]");
}

TEST(Views, MergeOnlyAxesThatRunAsOne) {
  EXPECT_EQ(
      view("%x: f32[seq, 6, 8]",
           "    %0 = slice(%x) {axis = 1, begin = 1, end = 4} : f32[seq, 3, 8]\n    %1 = reshape(%0) {shape = [-1, "
           "24]} : f32[seq, 24]\n    %r = exp(%1) : f32[seq, 24]\n"),
      "[48, 1]");
  EXPECT_EQ(
      view("%x: f32[seq, 6, 8]",
           "    %0 = slice(%x) {axis = 2, begin = 1, end = 4} : f32[seq, 6, 3]\n    %1 = reshape(%0) {shape = [-1, "
           "18]} : f32[seq, 18]\n    %r = exp(%1) : f32[seq, 18]\n"),
      "copy");
}

// What comes after an axis of one element decides nothing: one row of a slice is contiguous.
TEST(Views, OfOneRowRunAsOneLoop) {
  EXPECT_EQ(trees("  func @f(%x: f32[1, 48]<16@1>) {\n    %0 = slice(%x) {axis = 1, begin = 16, end = 48} : f32[1, "
                  "32]<16@1>\n    %1 = exp(%0) : f32[1, 32]<16@1>\n    return %1\n  }\n"),
            "parallel i0i1 by 4096 { vector i0i1 by 16 { stage 0 } }");
}

}  // namespace
}  // namespace strata::schedule
