// SPDX-License-Identifier: Apache-2.0
#include "cli/did_you_mean.h"

#include <gtest/gtest.h>

#include <vector>

namespace strata::cli {
namespace {

const std::vector<std::string> kNames = {"run", "chat", "compile", "tokenize", "detokenize"};

TEST(NearestName, FindsSlips) {
  EXPECT_EQ(nearest_name("runn", kNames), "run");
  EXPECT_EQ(nearest_name("rnu", kNames), "run");
  EXPECT_EQ(nearest_name("compil", kNames), "compile");
  EXPECT_EQ(nearest_name("tokenise", kNames), "tokenize");
}

TEST(NearestName, IsSilentAboutOthers) {
  for (const char* given : {"", "rxx", "serve", "tensor", "xylophone"})
    EXPECT_EQ(nearest_name(given, kNames), "") << given;
  EXPECT_EQ(nearest_name(std::string(1000, 'r'), kNames), "");
}

}  // namespace
}  // namespace strata::cli
