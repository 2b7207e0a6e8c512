// SPDX-License-Identifier: Apache-2.0
#include "text/character_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace strata::text {
namespace {

std::string cut(std::string_view regex, std::string_view text) {
  const auto pattern = CharacterPattern::parse(regex);
  if (!pattern) return "not read";
  std::string pieces;
  for (std::size_t pos = 0; pos < text.size();) {
    const std::size_t end = pattern->end_of_piece(text, pos);
    pieces += "<" + std::string(text.substr(pos, end - pos)) + ">";
    pos = end;
  }
  return pieces;
}

TEST(CharacterPattern, CutsAroundEachMatch) {
  EXPECT_EQ(cut("[a-c]", "xabx"), "<x><a><b><x>");
  EXPECT_EQ(cut("[a-c]+", "xabxa"), "<x><ab><x><a>");
  EXPECT_EQ(cut("[0-9][0-9][0-9]", "12345678x12"), "<123><456><78x12>");
  EXPECT_EQ(cut(R"(\s?\p{L}+)", "  ab c1"), "< >< ab>< c><1>");
  EXPECT_EQ(cut(R"(\s?[x\s]+)", "a "), "<a>< >") << "the space is taken by the second class";
  EXPECT_EQ(cut(R"(\s+$)", " a  "), "< a><  >");
  EXPECT_EQ(cut(R"(\s+$)", "  "), "<  >");
  EXPECT_EQ(cut(R"([\r\n\t\-\]])", "a-\r]"), "<a><-><\r><]>");
  EXPECT_EQ(cut(R"([\p{N}\p{M}\p{P}])", "1a\u0301!"), "<1><a><\u0301><!>");
  EXPECT_EQ(cut("[\u4e00-\u4e02-]+", "x\u4e01-\u4e03"), "<x><\u4e01-><\u4e03>");
}

TEST(CharacterPattern, OtherRegularExpressionsAreNotRead) {
  for (const char* regex :
       {"",         "a",     "[a",          "[^a]",      "[[:alpha:]]", "[a&&b]",      "(a)",
        "[a]|[b]",  "[a]*",  "[a]{2}",      "[a]?",      "$",           "[a]$",        "[a]+[b]",
        "[a][b]+$", "[b-a]", R"([\w])",     R"(\d)",     R"(\)",        R"([\u0041])", "[a][a][a][a][a]",
        "[]",       "[a]?+", "[a]?[b]?[b]", "[a][b]?[b]"}) {
    EXPECT_FALSE(CharacterPattern::parse(regex)) << regex;
  }
}

}  // namespace
}  // namespace strata::text
