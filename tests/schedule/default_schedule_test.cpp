// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/register.h"
#include "schedule/schedule.h"

namespace strata::schedule {
namespace {

std::string scheduled(const std::string& function, const std::string& machine = "avx512-zen5") {
  ops::register_all();
  const ir::Module module = ir::parse_module("module m {\n  symbol seq in 1..32\n" + function + "}\n", "test");
  std::string text = to_text(default_schedule(module, machine::load(machine))[0]);
  // Times belong to the cost model's tests.
  std::string lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    std::string line = text.substr(begin, end - begin);
    if (line.ends_with(" us")) line.erase(line.rfind("  "));
    lines += line + "\n";
    begin = end + 1;
  }
  return lines;
}

// Operands packed along the last axis run in vector lanes; where the lanes don't divide it, the last group is ragged.
TEST(DefaultSchedule, MergesTheLoopsOfAnElementwiseOp) {
  EXPECT_EQ(scheduled("  func @f(%x: f32[seq, 4, 8]<8@2>) {\n    %0 = exp(%x) : f32[seq, 4, 8]<8@2>\n    return %0\n  "
                      "}\n"),
            "@f\n  exp -> f32[seq, 4, 8]<8@2> vector(i0i1i2 in 32*seq by 8)\n");
  EXPECT_EQ(scheduled("  func @f(%x: f32[seq, 4, 9]<16~@2>) {\n    %0 = exp(%x) : f32[seq, 4, 9]<16~@2>\n    return "
                      "%0\n  }\n"),
            "@f\n  exp -> f32[seq, 4, 9]<16~@2> vector(i0i1i2 in 36*seq by 16)\n");
}

// One lane at a time: no "by".
TEST(DefaultSchedule, ARowMajorOperandGivesScalarCode) {
  EXPECT_EQ(scheduled("  func @f(%x: f32[seq, 4, 8]) {\n    %0 = exp(%x) : f32[seq, 4, 8]\n    return %0\n  }\n"),
            "@f\n  exp -> f32[seq, 4, 8] vector(i0i1i2 in 32*seq)\n");
}

// The second operand repeats along seq, so that axis stays a loop of its own.
TEST(DefaultSchedule, KeepsALoopThatABroadcastNeeds) {
  EXPECT_EQ(scheduled("  func @f(%x: f32[seq, 4, 8]<8@2>, %b: f32[4, 8]<8@1>) {\n    %0 = add(%x, %b) : f32[seq, 4, "
                      "8]<8@2>\n    return %0\n  }\n"),
            "@f\n  add -> f32[seq, 4, 8]<8@2> parallel(i0 in seq) vector(i1i2 in 32 by 8)\n");
}

TEST(DefaultSchedule, DividesTheRowsOfANorm) {
  EXPECT_EQ(scheduled("  func @f(%x: f32[seq, 64]<16@1>, %w: f32[64]<16@0>) {\n    %0 = rms_norm(%x, %w) {eps = "
                      "1e-06} : f32[seq, 64]<16@1>\n    return %0\n  }\n"),
            "@f\n  rms_norm -> f32[seq, 64]<16@1> parallel(i0 in seq) vector(k in 64 by 16)\n");
}

TEST(DefaultSchedule, DividesThePanelsOfAPackedMatmul) {
  EXPECT_EQ(scheduled("  func @f(%x: f32[1, 64]) {\n    %0 = weight \"w\" : f32[96, 64]<16@0>\n    %1 = matmul_nt(%x, "
                      "%0) : f32[1, 96]\n    return %1\n  }\n"),
            "@f\n  matmul_nt -> f32[1, 96] parallel(n in 96 by 64) serial(m in 1) micro-kernel(k in 64)\n");
}

// As many panels side by side as the machine streams fastest: 4 of f32 on a Zen 5, 1 on a Zen 4.
TEST(DefaultSchedule, StreamsAsTheMachineDoes) {
  const std::string function =
      "  func @f(%x: f32[1, 64]) {\n    %0 = weight \"w\" : f32[96, 64]<16@0>\n    %1 = "
      "matmul_nt(%x, %0) : f32[1, 96]\n    return %1\n  }\n";
  EXPECT_NE(scheduled(function, "avx512-zen5").find("(n in 96 by 64)"), std::string::npos);
  EXPECT_NE(scheduled(function, "avx512-zen4").find("(n in 96 by 16)"), std::string::npos);
}

TEST(DefaultSchedule, AScalarPerRowHasNoVectorLoop) {
  EXPECT_EQ(scheduled("  func @f(%x: f32[seq, 64]) {\n    %0 = reduce_mean(%x) : f32[seq]\n    return %0\n  }\n"),
            "@f\n  reduce_mean -> f32[seq] parallel(i0 in seq)\n");
}

TEST(DefaultSchedule, AViewCostsNothing) {
  const std::string text = scheduled(
      "  func @f(%x: f32[4, 8]) {\n    %0 = exp(%x) : f32[4, 8]\n    %1 = reshape(%0) {shape = [32]} : f32[32]\n    "
      "return %1\n  }\n");
  EXPECT_NE(text.find("reshape -> f32[32]\n"), std::string::npos) << text;
}

// Strides and offset of the last op of @f, "copy" where it is none.
std::string view(const std::string& parameters, const std::string& body) {
  ops::register_all();
  const ir::Module module = ir::parse_module(
      "module m {\n  symbol seq in 2..32\n  func @f(" + parameters + ") {\n" + body + "    return %r\n  }\n}\n",
      "test");
  const auto scheduled = default_schedule(module, machine::load("avx512-zen5"));
  const ScheduledOp& op = scheduled[0].ops[scheduled[0].ops.size() - 2];  // the last one uses it
  return op.form == Form::kView ? to_text(op.view) : "copy";
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
  const std::string text = scheduled(
      "  func @f(%x: f32[1, 48]<16@1>) {\n    %0 = slice(%x) {axis = 1, begin = 16, end = 48} : f32[1, 32]<16@1>\n    "
      "%1 = exp(%0) : f32[1, 32]<16@1>\n    return %1\n  }\n");
  EXPECT_NE(text.find("exp -> f32[1, 32]<16@1> vector(i0i1 in 32 by 16)\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace strata::schedule
