// SPDX-License-Identifier: Apache-2.0
#include "machine/target_words.h"

#include <gtest/gtest.h>

#include <string>

namespace strata::machine {
namespace {

TEST(TargetWords, NamesAreWords) {
  for (const char* word : {"L1", "DRAM", "sse4.1", "native-avx512-calibrated", "armv8.2-a+fp16", "f32-fma", "x86_64"}) {
    EXPECT_TRUE(is_word(word)) << word;
  }
  for (const char* text : {"", " ", "a b", "a\n", "a\nb", "-m", "a\\", "a/b", "a\"", "\xc3\xa9", ".a", "a;b"}) {
    EXPECT_FALSE(is_word(text)) << text;
  }
  EXPECT_FALSE(is_word(std::string(65, 'a')));
}

TEST(TargetWords, TriplesNameAPlatform) {
  EXPECT_TRUE(is_triple("x86_64-linux-gnu"));
  EXPECT_TRUE(is_triple("riscv64-unknown-linux-gnu"));
  for (const char* text : {"x86_64", "../evil-gnu", "a-b c", "a-b\n", "-a-b", "a-b-", "X-linux", ""}) {
    EXPECT_FALSE(is_triple(text)) << text;
  }
}

TEST(TargetWords, FlagsChooseInstructions) {
  for (const char* flag :
       {"-march=x86-64-v4", "-mcpu=native", "-mtune=znver5", "-mprefer-vector-width=512", "-mabi=lp64d",
        "-mrvv-vector-bits=zvl", "-mavx512bf16", "-mno-avx512f", "-msse4.2", "-mfma", "-mamx-tile"}) {
    EXPECT_TRUE(is_target_flag(flag)) << flag;
  }
}

TEST(TargetWords, FlagsDoNothingElse) {
  for (const char* flag : {"",
                           "-m",
                           "-mno-",
                           "-march=",
                           "-fplugin=/tmp/x.so",
                           "-fplugin=x.so",
                           "-Xclang",
                           "-load",
                           "x.so",
                           "-mllvm",
                           "-mllvm=-load=x.so",
                           "-mlinker-version=1",
                           "-include",
                           "-include/etc/passwd",
                           "-I.",
                           "-o",
                           "x",
                           "@file",
                           "-march=native -fplugin=x.so",
                           "-mavx2\n-fplugin=x.so",
                           "-B.",
                           "--config=x",
                           "-Wl,-plugin",
                           "-specs=x",
                           "-wrapper",
                           "-O0",
                           "-march=/tmp/x",
                           "-mavx/../x",
                           "-fuse-ld=/tmp/x"}) {
    EXPECT_FALSE(is_target_flag(flag)) << flag;
  }
}

}  // namespace
}  // namespace strata::machine
