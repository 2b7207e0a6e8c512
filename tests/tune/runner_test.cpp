// SPDX-License-Identifier: Apache-2.0
#include "tune/runner.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "base/temp_dir.h"

namespace strata::tune {
namespace {

// A function with an entry's signature.
codegen::Unit unit(const std::string& symbol, const std::string& body) {
  return {symbol + ".cpp", "#include \"tensor/tensor.h\"\nextern \"C\" __attribute__((visibility(\"default\"))) void " +
                               symbol +
                               "([[maybe_unused]] const strata::tensor::Team& team, [[maybe_unused]] void* const* p, "
                               "[[maybe_unused]] const std::int64_t* sizes, std::byte* arena, const std::byte*) {\n" +
                               body + "\n(void)arena;\n}\n"};
}

// Each rank writes that it came to its own place in the first parameter, which must hold what the second one says.
constexpr const char* kBody =
    "float* const to = static_cast<float*>(p[0]);\n"
    "to[team.rank] = static_cast<float>(team.size * 1000 + sizes[0]);\n"
    "team.scratch[0] = std::byte{1}; arena[team.rank] = std::byte{1};\n"
    "team.sync();\n"
    "for (int rank = 0; rank < team.size; ++rank) { if (to[rank] != to[0]) __builtin_trap(); }\n"
    "if (team.size != 2 || sizes[0] != 7) __builtin_trap();";

class RunnerTest : public testing::Test {
 protected:
  RunnerTest() : machine_(machine::load("native")) {
    setenv("STRATA_CACHE", (folder_.path() / "cache").c_str(), 1);
    contest_.machine = &machine_;
    contest_.threads = 2;
    contest_.units = {unit("one", kBody), unit("two", kBody)};
    contest_.symbols = {"one", "two"};
    contest_.parameters = {{DType::kF32, 64}, {DType::kF32, 64, true}};
    contest_.sizes = {7};
    contest_.arena_bytes = contest_.scratch_bytes = 64;
  }

  const TempDir folder_{std::filesystem::temp_directory_path(), "strata-test"};
  machine::Machine machine_;
  compile::Contest contest_;
};

TEST_F(RunnerTest, EachCandidateRunsInEachRound) {
  Runner runner(0.5);
  const compile::Rounds rounds = runner.run(contest_);
  ASSERT_EQ(rounds.size(), 2U);
  EXPECT_GE(rounds[0].size(), compile::kFewestRounds);
  EXPECT_LE(rounds[0].size(), kMostRounds);
  EXPECT_EQ(rounds[0].size(), rounds[1].size());
  for (const auto& own : rounds) {
    for (const double seconds : own) EXPECT_GT(seconds, 0);
  }
}

// The compiler alone takes longer: what has begun is finished, what comes behind it is not begun.
TEST_F(RunnerTest, EndsWhenItsTimeIsOver) {
  Runner runner(1e-3);
  EXPECT_EQ(runner.run(contest_)[0].size(), compile::kFewestRounds);
  EXPECT_TRUE(runner.run(contest_).empty());
}

TEST_F(RunnerTest, MayBeGivenUp) {
  Runner runner(10, [](double) { throw std::runtime_error("enough"); });
  EXPECT_THROW(runner.run(contest_), std::runtime_error);
}

TEST_F(RunnerTest, WhatDoesNotCompileIsSaid) {
  contest_.units[0] = unit("one", "no C++");
  Runner runner(10);
  EXPECT_THROW(runner.run(contest_), Error);
}

}  // namespace
}  // namespace strata::tune
