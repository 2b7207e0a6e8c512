// SPDX-License-Identifier: Apache-2.0
#include "schedule/copied_tree.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "ir/text.h"
#include "ops/register.h"
#include "schedule/tile_image.h"
#include "schedule/verify.h"
#include "tests/replaced.h"
#include "tests/schedule/schedule_testing.h"

namespace strata::schedule {
namespace {

machine::Machine scratchpad(std::int64_t bytes = 262144) {
  machine::Machine machine = machine::load("scratchpad-generic");
  machine.memory[0].capacity_bytes = bytes;
  return machine;
}

// The last op of a function, with its default tree.
struct CopiedOp {
  machine::Machine machine;
  ir::Module module;
  ScheduledOp op;

  CopiedOp(const std::string& function, std::int64_t bytes = 262144)
      : machine((ops::register_all(), scratchpad(bytes))),
        module(ir::parse_module("module m {\n  symbol seq in 1..512\n" + function + "}\n", "test")),
        op(std::move(default_schedule(module, machine)[0].ops.back())) {}

  std::string text() const { return to_text(op.tree, machine); }

  std::string verdict(const std::string& text) const {
    ScheduledOp other = op;
    other.tree.body = parse_tile_tree(text, "test", op.tree, machine);
    return fault(other, machine);
  }

  // What the verifier says of the default tree with something else in the place of `from`.
  std::string verdict(const std::string& from, const std::string& to) const {
    EXPECT_NE(text().find(from), std::string::npos) << from << " is not in\n" << text();
    return verdict(replaced(text(), from, to));
  }
};

CopiedOp copied_norm(std::int64_t bytes = 262144) {
  return {
      "  func @f(%x: f32[seq, 64]<8@1>, %w: f32[64]<8@0>) {\n    %0 = rms_norm(%x, %w) {eps = 1e-06} : "
      "f32[seq, 64]<8@1>\n    return %0\n  }\n",
      bytes};
}

CopiedOp copied_product(std::int64_t bytes = 262144) {
  return {
      "  func @f(%x: f32[seq, 2048]<6@0>) {\n    %0 = weight \"w\" : f32[96, 2048]<8@0>\n    %1 = matmul_nt(%x, %0) "
      ": f32[seq, 96]\n    return %1\n  }\n",
      bytes};
}

CopiedOp look_up() {
  return {
      "  func @f(%t: f32[1000, 64], %ids: i32[seq]) {\n    %0 = gather(%t, %ids) : f32[seq, 64]\n    return %0\n  "
      "}\n"};
}

TEST(CopiedTree, TextIsReadBackAndHolds) {
  const auto make = [](int which) {
    return which == 0   ? copied_norm()
           : which == 1 ? copied_norm(8192)
           : which == 2 ? copied_product()
           : which == 3 ? copied_product(65536)
                        : look_up();
  };
  for (int which = 0; which < 5; ++which) {
    CopiedOp region = make(which);
    EXPECT_EQ(region.verdict(region.text()), "") << region.text();
    region.op.tree.body = parse_tile_tree(region.text(), "test", region.op.tree, region.machine);
    const std::string text = region.text();
    region.op.tree.body = parse_tile_tree(text, "test", region.op.tree, region.machine);
    EXPECT_EQ(region.text(), text);
    EXPECT_NE(text.find("copy "), std::string::npos);
  }
}

TEST(CopiedTree, FitsTheLevelThatSoftwareManages) {
  for (const std::int64_t bytes : {262144, 65536, 16384, 8192}) {
    const CopiedOp rows = copied_norm(bytes), matrix = copied_product(bytes);
    EXPECT_LE(copy_work(rows.op, rows.op.tree).live_bytes, bytes) << rows.text();
    EXPECT_LE(copy_work(matrix.op, matrix.op.tree).live_bytes, bytes) << matrix.text();
  }
  const CopiedOp wide = copied_norm(), narrow = copied_norm(65536);
  EXPECT_GT(copy_work(wide.op, wide.op.tree).live_bytes, 65536);
  EXPECT_NE(wide.text(), narrow.text());
}

// Bytes of each tile times how often it is copied: the rows once, the weights of the norm once.
TEST(CopiedTree, CountsWhatItCopies) {
  const CopiedOp region = copied_norm();
  const CopyWork work = copy_work(region.op, region.op.tree);
  EXPECT_EQ(work.read_bytes, (512 + 1) * 64 * 4) << region.text();
  EXPECT_EQ(work.written_bytes, 512 * 64 * 4);
}

TEST(CopiedTreeVerifier, FindsWhatIsReadOrMadeOutside) {
  const CopiedOp of = copied_norm();
  EXPECT_EQ(of.verdict("copy access 0[i0, k] into in0\n", "\n"),
            "tile tree of rms_norm: access 0 of stage 0 is read outside of scratchpad");
  EXPECT_EQ(of.verdict("stage 1 into out1", "stage 1"), "tile tree of rms_norm: stage 1 is made outside of scratchpad");
  EXPECT_EQ(of.verdict("copy out1 into stage 1[i0, k]\n", "\n"), "tile tree of rms_norm: the result is not copied out");
  const CopiedOp matrix = copied_product();
  EXPECT_EQ(matrix.verdict("copy operand 0[i0, k] into in0\n", "\n"),
            "tile tree of matmul_nt: operand 0 of leaf tile is read outside of scratchpad");
  EXPECT_EQ(matrix.verdict(" into out\n", "\n"),
            "tile tree of matmul_nt: leaf tile makes its result outside of scratchpad");
}

TEST(CopiedTreeVerifier, FindsATileThatDoesNotCoverWhatIsTouched) {
  const CopiedOp of = copied_norm();
  EXPECT_EQ(of.verdict("access 0[i0, k]", "access 0[i0]"),
            "tile tree of rms_norm: access 0 is copied along [i0], and moves along [i0, k]");
  EXPECT_EQ(of.verdict("parallel i0 by 1 { buffer in0: f32[64] in scratchpad copy access 0[i0, k] into in0 }"),
            "tile tree of rms_norm: the buffer in0 does not hold the f32[32768] of a tile of access 0");
  // In a loop before the one that reads it, the last tile of all would be there.
  const std::string before = "parallel i0 by 1 { buffer in3: f32[64] in scratchpad copy access 3[k] into in3 ";
  const std::string copy = "buffer in0: f32[4096] in scratchpad copy access 0[i0, k] into in0 ";
  const std::string rows =
      "buffer out1: f32[4096] in scratchpad serial i0 by 1 { vector k by 8 { stage 0 } vector k by 8 { stage 1 into "
      "out1 } } copy out1 into stage 1[i0, k] ";
  EXPECT_EQ(of.verdict(before + "serial i0 by 64 { " + copy + rows + "} }"), "");
  EXPECT_EQ(of.verdict(before + "serial i0 by 64 { " + copy + "} serial i0 by 64 { " + rows + "} }"),
            "tile tree of rms_norm: access 0 of stage 0 is read outside of scratchpad");
  EXPECT_EQ(of.verdict(before + "serial i0 by 64 { " + copy + "serial i0 by 32 { copy access 0[i0, k] into in0 } " +
                       rows + "} }"),
            "tile tree of rms_norm: the buffer in0 is filled twice");
}

TEST(CopiedTreeVerifier, FindsAResultThatIsCopiedWrong) {
  const CopiedOp of = copied_product(65536);
  const std::string out = "copy out into result[i0, n]\n";
  EXPECT_EQ(of.verdict("into out\n", "into out\n" + out),
            "tile tree of matmul_nt: the result is copied out for another part of k than out holds");
  EXPECT_EQ(of.verdict(out, out + out), "tile tree of matmul_nt: the result is copied out twice");
  EXPECT_EQ(of.verdict("serial k by 96 {", out + "serial k by 96 {"),
            "tile tree of matmul_nt: the result is copied out before it is computed");
  EXPECT_EQ(of.verdict("buffer out: f32[3744]", "buffer out: f32[3743]"),
            "tile tree of matmul_nt: the buffer out does not hold the f32[3744] of a tile of the result");
  EXPECT_EQ(of.verdict(out, "buffer other: f32[3744] in scratchpad copy other into result[i0, n]"),
            "tile tree of matmul_nt: the result is copied out of other, and is not made there");
  EXPECT_EQ(of.verdict("copy out into result[i0, n]", "copy out into result[n]"),
            "tile tree of matmul_nt: the result is copied along [n], and moves along [i0, n]");
}

TEST(CopiedTreeVerifier, FindsBuffersThatDoNotFitTogether) {
  CopiedOp of = copied_norm();
  const std::int64_t live = copy_work(of.op, of.op.tree).live_bytes;
  EXPECT_EQ(live, 64 * 4 + 2 * 256 * 64 * 4);
  of.machine.memory[0].capacity_bytes = live - 1;
  EXPECT_EQ(of.verdict(of.text()),
            "tile tree of rms_norm: the buffers that are there together with out1 take 131328 bytes, more than "
            "scratchpad has");
  of.machine.memory[0].capacity_bytes = live;
  EXPECT_EQ(of.verdict(of.text()), "");
  const CopiedOp same = copied_norm();
  EXPECT_NE(same.verdict("in scratchpad", "in DRAM").find("is not in scratchpad"), std::string::npos);
}

// Each row lies where a number says.
TEST(CopiedTreeVerifier, FindsATileOfSeveralNumbers) {
  const CopiedOp of = look_up();
  const std::string rows =
      "parallel s by 1 { serial s by 2 { buffer in1: i32[2] in scratchpad copy operand 1[s] into in1 ";
  EXPECT_EQ(of.verdict(rows + "buffer in0: f32[128] in scratchpad copy operand 0[s, j] into in0 } }"),
            "tile tree of gather: where operand 0 lies is another place for each s");
  EXPECT_EQ(of.verdict("copy operand 1[s] into in1\n", "\n"),
            "tile tree of gather: where operand 0 lies is read from operand 1, which is in no buffer");
}

TEST(CopiedTreeVerifier, RefusesCopiesWhereSoftwareManagesNoMemory) {
  CopiedOp of = copied_norm();
  const std::string text = replaced(of.text(), " in scratchpad", "");
  of.machine = machine::load("avx2-generic");
  EXPECT_NE(of.verdict(text).find("software manages no memory of this machine"), std::string::npos) << of.verdict(text);
}

TEST(CopiedTree, AMistakeInTheTextIsNamed) {
  const CopiedOp region = copied_norm();
  for (const auto& [text, message] : {std::pair{"copy access -1[i0] into b", "a number is not from 0 to 1048576"},
                                      {"copy access 0[i9] into b", "the region has no iterator i9"},
                                      {"copy b into memory[i0]", "only a stage or the result is copied out"},
                                      {"copy access 0[i0 into b", "']'"}}) {
    try {
      (void)parse_tile_tree(text, "test", region.op.tree, region.machine);
      ADD_FAILURE() << text;
    } catch (const std::exception& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace strata::schedule
