// SPDX-License-Identifier: Apache-2.0
#include "cli/options.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"

namespace strata::cli {
namespace {

bool accepts(const CLI::Validator& validator, const std::string& text) { return validator(text).empty(); }

TEST(IntegerIn, AcceptsTheRange) {
  EXPECT_TRUE(accepts(integer_in(-1), "-1"));
  EXPECT_TRUE(accepts(integer_in(1, 4), "4"));
}

TEST(IntegerIn, RefusesWhatIsOutsideOrNoInteger) {
  for (const char* text : {"0", "5", "1.5", "1x", "", " 1", "0x1", "99999999999999999999"}) {
    EXPECT_FALSE(accepts(integer_in(1, 4), text)) << text;
  }
}

TEST(IntegerIn, MessageNamesTheValueAndTheRange) {
  EXPECT_EQ(integer_in(1, 4)(std::string("7")), "'7' is not a whole number from 1 to 4");
  EXPECT_EQ(integer_in(-1)(std::string("-7")), "'-7' is not a whole number at least -1");
}

TEST(FiniteIn, RefusesNanInfinityAndTheOutside) {
  for (const char* text : {"nan", "-nan", "inf", "-inf", "1e999", "-0.1", "1.1", "x", ""}) {
    EXPECT_FALSE(accepts(finite_in(0, 1), text)) << text;
  }
  for (const char* text : {"0", "1", "0.5", "1e-3"}) EXPECT_TRUE(accepts(finite_in(0, 1), text)) << text;
}

TEST(FiniteAbove, RefusesTheBound) {
  EXPECT_FALSE(accepts(finite_above(0), "0"));
  EXPECT_TRUE(accepts(finite_above(0), "1e-9"));
}

TEST(OneOf, ListsWhatIsAllowed) {
  auto message = one_of({"f32", "f16"})(std::string("q4"));
  EXPECT_NE(message.find("f32, f16"), std::string::npos);
}

TEST(ParseTokenIds, ReadsAList) {
  EXPECT_EQ(parse_token_ids("1,2, 3\n", "--tokens"), (std::vector<std::int32_t>{1, 2, 3}));
}

TEST(ParseTokenIds, RefusesWhatIsNoList) {
  for (const char* text : {"", ",", "1,", ",1", "1,,2", "-1", "1.0", "a", "1 2", "2147483648", "1e3"}) {
    try {
      parse_token_ids(text, "--tokens");
      ADD_FAILURE() << "accepted '" << text << "'";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
    }
  }
}

class Environment : public testing::Test {
 protected:
  void SetUp() override {
    app_.add_option("-n,--n-predict", n_);
    app_.add_option("--top-k", top_k_);
    app_.add_flag("--ignore-eos", ignore_eos_);
  }
  void TearDown() override {
    for (const char* name : {"STRATA_ARG_N", "STRATA_ARG_N_PREDICT", "STRATA_ARG_TOP_K", "STRATA_ARG_IGNORE_EOS"}) {
      unsetenv(name);
    }
  }
  void parse(const std::string& line) {
    bind_environment(app_);
    app_.parse(line);
  }
  CLI::App app_;
  int n_ = 128, top_k_ = 40;
  bool ignore_eos_ = false;
};

TEST_F(Environment, GivesAValueByTheLongOrTheShortName) {
  setenv("STRATA_ARG_TOP_K", "7", 1);
  setenv("STRATA_ARG_N", "5", 1);
  parse("");
  EXPECT_EQ(top_k_, 7);
  EXPECT_EQ(n_, 5);
}

TEST_F(Environment, LosesAgainstAFlag) {
  setenv("STRATA_ARG_TOP_K", "7", 1);
  parse("--top-k 9");
  EXPECT_EQ(top_k_, 9);
}

TEST_F(Environment, SetsAFlag) {
  setenv("STRATA_ARG_IGNORE_EOS", "true", 1);
  parse("");
  EXPECT_TRUE(ignore_eos_);
}

TEST_F(Environment, IsCheckedLikeAFlag) {
  setenv("STRATA_ARG_TOP_K", "many", 1);
  EXPECT_THROW(parse(""), CLI::ParseError);
}

}  // namespace
}  // namespace strata::cli
