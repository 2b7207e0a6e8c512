// SPDX-License-Identifier: Apache-2.0
#include "base/words.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

using Parts = std::vector<std::string_view>;

TEST(Words, SplitAtASeparator) {
  EXPECT_EQ(split("", ','), Parts{});
  EXPECT_EQ(split("a", ','), Parts{"a"});
  EXPECT_EQ(split("a,,bc", ','), (Parts{"a", "", "bc"}));
  EXPECT_EQ(split(",a,", ','), (Parts{"", "a"}));
}

TEST(Words, BetweenWhiteSpace) {
  EXPECT_EQ(words(""), Parts{});
  EXPECT_EQ(words(" \t\n"), Parts{});
  EXPECT_EQ(words("cpu  12\t3\n"), (Parts{"cpu", "12", "3"}));
}

TEST(Words, NumbersAreWhole) {
  EXPECT_EQ(number_of<int>("-12"), -12);
  EXPECT_EQ(number_of<double>("1e3"), 1000.0);
  for (const std::string_view word : {"", "x", "12x", " 12", "99999999999"})
    EXPECT_EQ(number_of<int>(word), std::nullopt);
}

TEST(Words, NumbersAreWrittenShort) {
  EXPECT_EQ(plain_text(0.25), "0.25");
  EXPECT_EQ(plain_text(1e-6), "1e-06");
  EXPECT_EQ(plain_text(1234567), "1.23457e+06");
  EXPECT_EQ(plain_text(-2), "-2");
}

}  // namespace
}  // namespace strata
