// SPDX-License-Identifier: Apache-2.0
// Runs the tests if this processor has the instruction set that they were compiled for; otherwise reports "skipped".
#include <gtest/gtest.h>

#include <cstdio>
#include <string_view>

int main(int argc, char** argv) {
  const std::string_view level = STRATA_TEST_LEVEL;
  if (level == "x86-64-v3" && !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))) {
    std::printf("skipped: this processor lacks AVX2 or FMA\n");
    return 77;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
