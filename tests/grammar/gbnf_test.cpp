// SPDX-License-Identifier: Apache-2.0
#include "grammar/gbnf.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "grammar/matcher.h"

namespace strata::grammar {
namespace {

bool fits(std::string_view grammar, std::string_view text) {
  Matcher matcher(std::make_shared<CompiledGrammar>(parse_gbnf(grammar)));
  return matcher.advance(text) && matcher.accepts();
}

std::string error_of(std::string_view grammar) {
  try {
    const CompiledGrammar compiled(parse_gbnf(grammar));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  return "";
}

TEST(Gbnf, Notation) {
  struct Case {
    std::string_view grammar;
    std::vector<std::string_view> yes, no;
  };
  const std::vector<Case> cases = {
      {"root ::= \"ab\" | \"c\"", {"ab", "c"}, {"", "a", "abc", "b"}},
      {"root ::= [a-c]+", {"a", "cab"}, {"", "d", "ad"}},
      {"root ::= [^a-c\\n]*", {"", "xyz", "é", "\xF0\x9F\x98\x80"}, {"a", "x\n", "\xFF", "\xC3", "\xED\xA0\x80"}},
      {"root ::= \"a\"{2}", {"aa"}, {"a", "aaa"}},
      {"root ::= \"a\"{2,}", {"aa", "aaaa"}, {"a", ""}},
      {"root ::= \"a\"{1,3} \"b\"?", {"a", "aaab"}, {"b", "aaaa"}},
      {"root ::= \"a\"{0}", {""}, {"a"}},
      {"root ::= (\"a\" | b)* # comment\nb ::= \"b\"\n  # another\n\n", {"", "abba"}, {"c"}},
      {"root ::=\n  \"a\" (\n   \"b\"\n | \"c\")\n", {"ab", "ac"}, {"a"}},
      {"root ::= \"a\" |\n \"b\"", {"a", "b"}, {"ab"}},
      {"root ::= \"a\"\n\nb ::= root", {"a"}, {"b"}},
      {"root ::= \"\\x41\\u00e9\\U0001F600\\\"\\\\\\n\"", {"A\xC3\xA9\xF0\x9F\x98\x80\"\\\n"}, {"A"}},
      {"root ::= [\\]\\-a]", {"]", "-", "a"}, {"b", "\\"}},
      {"root ::= [a-]", {"a", "-"}, {"b"}},
      {"root ::= .", {"a", "\n", "é"}, {"", "ab", "\x80"}},
      {"root ::= \"(\" root \")\" | \"\"", {"", "()", "((()))"}, {"(", "(()", ")"}},
      {"root ::= (\"a\"*)* \"b\"", {"b", "aab"}, {"a"}},
      {"root ::= \"a\" root | \"a\"", {"a", "aaaa"}, {"", "ab"}},
      {"root ::= [а-я]+", {"привет"}, {"hello"}},
      {"root ::= \"a\" [0-9] \"\"", {"a1"}, {"a"}},
  };
  for (const Case& one : cases) {
    for (const std::string_view text : one.yes) EXPECT_TRUE(fits(one.grammar, text)) << one.grammar << " " << text;
    for (const std::string_view text : one.no) EXPECT_FALSE(fits(one.grammar, text)) << one.grammar << " " << text;
  }
}

TEST(Gbnf, WrongGrammarsAreRefusedByTheirLine) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {"", "no rule root"},
      {"foo ::= \"a\"", "no rule root"},
      {"root ::= \"a", "line 1: a string is not closed"},
      {"root ::= [a", "line 1: a [ is not closed"},
      {"root ::= (\"a\"", "line 1: a parenthesis is not closed"},
      {"root ::= a\n", "line 1: the rule a is used and not defined"},
      {"root ::= b\nb ::= \"a\"\nb ::= \"c\"", "line 3: the rule b is there twice"},
      {"root = \"a\"", "line 1: ::= is expected"},
      {"root ::= \"a\" )", "line 1: the end of the line is expected"},
      {"root ::= \"a\"{3,2}", "maximum below its minimum"},
      {"root ::= \"a\"{99999}", "repeated more than"},
      {"root ::= \"a\"{x}", "a number is expected"},
      {"root ::= \"\\q\"", "an escape is unknown"},
      {"root ::= \"\\ud800\"", "an escape is no character"},
      {"root ::= \"\\x4\"", "2 hexadecimal digits"},
      {"root ::= [z-a]", "a range of characters is empty"},
      {"root ::= <think>", "tokens are not supported"},
      {"root ::= \"\xFF\"", "not UTF-8"},
      {"root ::= root \"a\" | \"b\"", "root is left-recursive"},
      {"root ::= a\na ::= \"\" b\nb ::= \"x\"* a | \"c\"", "is left-recursive"},
      {"root ::= root", "no text fulfils the grammar"},
      {"root ::= \"a\" root", "no text fulfils the grammar"},
      {"root ::= []", "no text fulfils the grammar"},
      {"root ::= ((\"a\"{1000}){1000}){1000}", "states"},
  };
  for (const auto& [grammar, message] : cases) {
    EXPECT_NE(error_of(grammar).find(message), std::string::npos) << grammar << ": " << error_of(grammar);
  }
  EXPECT_NE(error_of("root ::= " + std::string(1000, '(')).find("nested deeper"), std::string::npos);
  EXPECT_NE(error_of("root ::= \"a\"" + std::string(1000, '*')).find("too many repetitions"), std::string::npos);
}

}  // namespace
}  // namespace strata::grammar
