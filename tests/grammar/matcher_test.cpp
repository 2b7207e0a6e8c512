// SPDX-License-Identifier: Apache-2.0
#include "grammar/matcher.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../sweep.h"
#include "base/error.h"
#include "grammar/gbnf.h"
#include "grammar/program.h"
#include "grammar/token_bytes.h"

namespace strata::grammar {
namespace {

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t count) { return random() % count; }

// Random expressions over a and b. Rules only name later ones until a byte was taken, so that none is left-recursive.
class RandomGrammar {
 public:
  explicit RandomGrammar(std::uint64_t seed) : random_(seed) {}

  Grammar make() {
    Grammar grammar;
    const std::size_t rules = 1 + below(random_, 4);
    for (std::size_t i = 0; i < rules; ++i) grammar.add("r" + std::to_string(i));
    for (std::size_t i = 0; i < rules; ++i) grammar.rules[i].expression = expression(grammar, i, 3, false);
    return grammar;
  }

 private:
  Expression letter() { return text_of(below(random_, 2) == 0 ? "a" : "b"); }

  Expression expression(const Grammar& grammar, std::size_t rule, int depth, bool has_begun) {
    const std::size_t rules = grammar.rules.size();
    switch (depth == 0 ? below(random_, 2) : below(random_, 7)) {
      case 0:
        return letter();
      case 1: {
        if (has_begun) return rule_of(static_cast<std::uint32_t>(below(random_, rules)));
        if (rule + 1 == rules) return letter();
        return rule_of(static_cast<std::uint32_t>(rule + 1 + below(random_, rules - rule - 1)));
      }
      case 2: {
        const auto min = static_cast<std::uint32_t>(below(random_, 2));
        const std::uint32_t max =
            below(random_, 2) == 0 ? kUnlimited : min + static_cast<std::uint32_t>(below(random_, 2));
        // A repeated part begins again where it may have taken nothing.
        return repeat_of(expression(grammar, rule, depth - 1, has_begun), min, max);
      }
      case 3:
      case 4: {
        std::vector<Expression> parts;
        for (std::size_t i = 0; i < below(random_, 3) + 1; ++i) {
          parts.push_back(expression(grammar, rule, depth - 1, has_begun));
        }
        return choice_of(std::move(parts));
      }
      case 5:
        return sequence_of({letter(), expression(grammar, rule, depth - 1, true)});
      default:
        return sequence_of(
            {expression(grammar, rule, depth - 1, has_begun), expression(grammar, rule, depth - 1, has_begun)});
    }
  }

  Random random_;
};

// Where a text that begins at `at` may end, by the definition of expressions alone.
class Recogniser {
 public:
  Recogniser(const Grammar& grammar, std::string_view text) : grammar_(grammar), text_(text) {}

  bool accepts() { return ends(grammar_.rules[grammar_.root].expression, 0).contains(text_.size()); }

 private:
  using Ends = std::set<std::size_t>;

  Ends ends(const Expression& expression, std::size_t at) {
    switch (expression.kind) {
      case Expression::Kind::kText:
        if (text_.substr(at).starts_with(expression.text)) return {at + expression.text.size()};
        return {};
      case Expression::Kind::kSequence: {
        Ends out = {at};
        for (const Expression& part : expression.parts) out = after(part, out);
        return out;
      }
      case Expression::Kind::kChoice: {
        Ends out;
        for (const Expression& part : expression.parts) out.merge(ends(part, at));
        return out;
      }
      case Expression::Kind::kRepeat:
        return repeated(expression, at);
      case Expression::Kind::kRule: {
        const auto key = std::pair(expression.rule, at);
        if (const auto known = known_.find(key); known != known_.end()) return known->second;
        return known_[key] = ends(grammar_.rules[expression.rule].expression, at);
      }
      default:
        return {};
    }
  }

  Ends after(const Expression& part, const Ends& places) {
    Ends out;
    for (const std::size_t place : places) out.merge(ends(part, place));
    return out;
  }

  Ends repeated(const Expression& repeat, std::size_t at) {
    Ends last = {at}, out;
    for (std::uint32_t i = 0; i < repeat.min; ++i) last = after(repeat.parts.front(), last);
    out = last;
    for (std::uint32_t i = repeat.min; i < repeat.max && i < repeat.min + text_.size() + 1; ++i) {
      last = after(repeat.parts.front(), last);
      out.insert(last.begin(), last.end());
    }
    return out;
  }

  const Grammar& grammar_;
  const std::string_view text_;
  std::map<std::pair<std::uint32_t, std::size_t>, Ends> known_;
};

// Every text of a and b up to this length, the shorter ones first.
std::vector<std::string> all_texts(std::size_t length) {
  std::vector<std::string> out = {""};
  for (std::size_t i = 0; i < out.size() && out[i].size() < length; ++i) {
    out.push_back(out[i] + "a");
    out.push_back(out[i] + "b");
  }
  return out;
}

std::shared_ptr<CompiledGrammar> compiled_or_null(const Grammar& grammar) {
  try {
    return std::make_shared<CompiledGrammar>(grammar);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return nullptr;
  }
}

TEST(Matcher, AcceptsWhatTheGrammarMeans) {
  const std::vector<std::string> texts = all_texts(7);
  std::size_t compared = 0, accepted = 0;
  for (std::uint64_t seed = 0; seed < sweep_size(300, 20'000); ++seed) {
    const Grammar grammar = RandomGrammar(seed).make();
    const auto compiled = compiled_or_null(grammar);
    if (compiled == nullptr) continue;
    ++compared;
    std::set<std::string> beginnings;
    for (auto text = texts.rbegin(); text != texts.rend(); ++text) {
      const bool wanted = Recogniser(grammar, *text).accepts();
      Matcher matcher(compiled);
      const bool is_beginning = matcher.advance(*text);
      ASSERT_EQ(is_beginning && matcher.accepts(), wanted) << seed << " " << *text;
      if (wanted || beginnings.contains(*text)) {
        ASSERT_TRUE(is_beginning) << seed << " " << *text;
        if (!text->empty()) beginnings.insert(text->substr(0, text->size() - 1));
      }
      accepted += wanted ? 1 : 0;
    }
  }
  EXPECT_GT(compared, sweep_size(300, 20'000) / 2);
  EXPECT_GT(accepted, compared);
}

// All tokens of up to three letters, some twice, and none.
std::vector<std::string> small_vocabulary() {
  std::vector<std::string> tokens = all_texts(3);
  tokens.push_back("ab");
  tokens.push_back("c");
  tokens.push_back("aac");
  return tokens;
}

void expect_mask(Matcher& matcher, const std::vector<std::string>& bytes, const TokenBytes& tokens,
                 const std::string& where) {
  const TokenMask mask = matcher.mask(tokens);
  for (std::size_t token = 0; token < bytes.size(); ++token) {
    Matcher copy = matcher;
    ASSERT_EQ(mask.has(token), !bytes[token].empty() && copy.advance(bytes[token])) << where << " " << bytes[token];
  }
}

TEST(Matcher, MasksAreTheTokensThatGoOn) {
  const std::vector<std::string> bytes = small_vocabulary();
  const TokenBytes tokens(bytes);
  for (std::uint64_t seed = 0; seed < sweep_size(200, 10'000); ++seed) {
    const auto compiled = compiled_or_null(RandomGrammar(seed).make());
    if (compiled == nullptr) continue;
    Random random(seed);
    Matcher matcher(compiled);
    std::string text;
    for (int step = 0; step < 12; ++step) {
      ASSERT_NO_FATAL_FAILURE(expect_mask(matcher, bytes, tokens, std::to_string(seed) + " after " + text));
      std::vector<std::size_t> allowed;
      const TokenMask mask = matcher.mask(tokens);
      for (std::size_t token = 0; token < bytes.size(); ++token) {
        if (mask.has(token)) allowed.push_back(token);
      }
      if (allowed.empty()) {
        ASSERT_TRUE(matcher.accepts()) << seed << " " << text;  // there are no dead ends
        break;
      }
      const std::size_t token = allowed[below(random, allowed.size())];
      ASSERT_TRUE(matcher.advance(bytes[token]));
      text += bytes[token];
    }
  }
}

TEST(Matcher, PartsOfCharactersAreTokens) {
  const auto compiled = std::make_shared<CompiledGrammar>(parse_gbnf("root ::= [é-ü]+ \"。\""));
  const std::vector<std::string> bytes = {"\xC3", "\xA9",     "\xA0",     "\xE3", "\x80",
                                          "\x82", "\xE3\x80", "\xBC\xE3", "é",    "e"};
  const TokenBytes tokens(bytes);
  Matcher matcher(compiled);
  for (const std::string next : {"\xC3", "\xA9", "\xC3", "\xBC\xE3", "\x80", "\x82"}) {
    expect_mask(matcher, bytes, tokens, next);
    ASSERT_TRUE(matcher.advance(next));
  }
  EXPECT_TRUE(matcher.accepts());
}

TEST(Matcher, RefusedBytesChangeNothing) {
  Matcher matcher(std::make_shared<CompiledGrammar>(parse_gbnf("root ::= \"abc\"")));
  EXPECT_TRUE(matcher.advance("a"));
  EXPECT_FALSE(matcher.advance("bd"));
  EXPECT_TRUE(matcher.advance("bc"));
  EXPECT_TRUE(matcher.accepts());
  EXPECT_FALSE(matcher.advance("x"));
}

TEST(Matcher, FreeTextEndsAtItsMarker) {
  Grammar through, without;
  through.add("root", sequence_of({text_through("</think>"), text_of("{}")}));
  without.add("root", sequence_of({text_without("aab"), text_of("aab")}));
  const auto of_through = std::make_shared<CompiledGrammar>(through),
             of_without = std::make_shared<CompiledGrammar>(without);
  const auto fits = [](const auto& compiled, std::string_view text) {
    Matcher matcher(compiled);
    return matcher.advance(text) && matcher.accepts();
  };
  EXPECT_TRUE(fits(of_through, "a < b </thi</think>{}"));
  EXPECT_TRUE(fits(of_through, "\xFF\x01</think>{}"));
  EXPECT_FALSE(fits(of_through, "a</think> {}"));
  EXPECT_FALSE(fits(of_through, "a</think>b</think>{}"));
  EXPECT_TRUE(fits(of_without, "aaaaab"));
  EXPECT_FALSE(fits(of_without, "aabaab"));
}

// Each of n letters leaves two rules to go back to: 2^n stacks.
TEST(Matcher, AmbiguityTakesLittleRoom) {
  Matcher matcher(std::make_shared<CompiledGrammar>(
      parse_gbnf("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"a\" root [bc] | \"\"")));
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(matcher.advance("a"));
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(matcher.advance(i % 3 == 0 ? "b" : "c"));
  EXPECT_TRUE(matcher.accepts());
  EXPECT_FALSE(matcher.advance("b"));
}

// All ways to put a text in parentheses.
TEST(Matcher, WhatIsTooAmbiguousIsRefused) {
  Matcher matcher(std::make_shared<CompiledGrammar>(parse_gbnf("root ::= \"a\" root root | \"a\"")));
  const auto go = [&] {
    for (int i = 0; i < 1'000'000; ++i) ASSERT_TRUE(matcher.advance("a"));
  };
  EXPECT_THROW(go(), Error);
}

TEST(Matcher, LongTextsTakeBoundedRoom) {
  const auto compiled =
      std::make_shared<CompiledGrammar>(parse_gbnf("root ::= item*\nitem ::= [a-z]{1,9} \"(\" item* \")\""));
  const std::vector<std::string> bytes = {"a", "b", "(", ")", "((", "))", "a(", "a()"};
  const TokenBytes tokens(bytes);
  Matcher matcher(compiled);
  Random random(1);
  for (std::size_t i = 0; i < sweep_size(100'000, 1'000'000); ++i) {
    const std::string& next = bytes[below(random, bytes.size())];
    ASSERT_EQ(matcher.mask(tokens).has(static_cast<std::size_t>(&next - bytes.data())), matcher.advance(next));
  }
}

TEST(TokenBytes, HoldsTokensInTheOrderOfAWalk) {
  const std::vector<std::string> bytes = {"b", "", "ab", "a", "b", "abc", std::string(2000, 'x'), "\xFF"};
  const TokenBytes tokens(bytes);
  EXPECT_EQ(tokens.vocabulary(), 8U);
  EXPECT_EQ(tokens.deepest(), 3U);
  std::vector<std::pair<std::string, std::int32_t>> seen;
  std::string path;
  for (const TokenBytes::Node& node : tokens.nodes().subspan(1)) {
    path.resize(node.depth - 1U);
    path.push_back(static_cast<char>(node.byte));
    for (const std::int32_t token : tokens.tokens(node)) seen.emplace_back(path, token);
  }
  const std::vector<std::pair<std::string, std::int32_t>> wanted = {{"a", 3}, {"ab", 2}, {"abc", 5},
                                                                    {"b", 0}, {"b", 4},  {"\xFF", 7}};
  EXPECT_EQ(seen, wanted);
  EXPECT_EQ(tokens.nodes()[1].end, 4U);
}

}  // namespace
}  // namespace strata::grammar
