// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/register.h"
#include "schedule/schedule.h"

namespace strata::schedule {
namespace {

std::string scheduled(const std::string& function) {
  ops::register_all();
  const ir::Module module = ir::parse_module("module m {\n  symbol seq in 1..32\n" + function + "}\n", "test");
  std::string text = to_text(default_schedule(module, machine::load("avx512-zen5"))[0]);
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

TEST(DefaultSchedule, MergesTheLoopsOfAnElementwiseOp) {
  EXPECT_EQ(scheduled("  func @f(%x: f32[seq, 4, 8]) {\n    %0 = exp(%x) : f32[seq, 4, 8]\n    return %0\n  }\n"),
            "@f\n  exp -> f32[seq, 4, 8] vector(i0i1i2 in 32*seq by 16)\n");
}

// The second operand repeats along seq, so that axis stays a loop of its own.
TEST(DefaultSchedule, KeepsALoopThatABroadcastNeeds) {
  EXPECT_EQ(scheduled("  func @f(%x: f32[seq, 4, 8], %b: f32[4, 8]) {\n    %0 = add(%x, %b) : f32[seq, 4, 8]\n    "
                      "return %0\n  }\n"),
            "@f\n  add -> f32[seq, 4, 8] parallel(i0 in seq) vector(i1i2 in 32 by 16)\n");
}

TEST(DefaultSchedule, DividesTheRowsOfANorm) {
  EXPECT_EQ(scheduled("  func @f(%x: f32[seq, 64], %w: f32[64]) {\n    %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[seq, "
                      "64]\n    return %0\n  }\n"),
            "@f\n  rms_norm -> f32[seq, 64] parallel(i0 in seq) vector(k in 64 by 16)\n");
}

TEST(DefaultSchedule, DividesThePanelsOfAPackedMatmul) {
  EXPECT_EQ(scheduled("  func @f(%x: f32[1, 64]) {\n    %0 = weight \"w\" : f32[96, 64]<16@0>\n    %1 = matmul_nt(%x, "
                      "%0) : f32[1, 96]\n    return %1\n  }\n"),
            "@f\n  matmul_nt -> f32[1, 96] parallel(n in 96 by 64) serial(m in 1) micro-kernel(k in 64)\n");
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

}  // namespace
}  // namespace strata::schedule
