// SPDX-License-Identifier: Apache-2.0
#include "grammar/gbnf.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "grammar/limits.h"

namespace strata::grammar {
namespace {

constexpr std::string_view kRootName = "root";

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class GbnfParser {
 public:
  explicit GbnfParser(std::string_view text) : text_(text) {}

  Grammar parse() {
    skip_space(true);
    while (pos_ < text_.size()) parse_rule();
    for (const auto& [name, rule] : rules_) {
      pos_ = rule.first_use;
      if (!rule.is_defined) fail("the rule " + name.substr(0, 100) + " is used and not defined");
    }
    const auto root = rules_.find(kRootName);
    if (root == rules_.end()) throw usage_error("the grammar has no rule root", "name the one that begins root");
    grammar_.root = root->second.number;
    return std::move(grammar_);
  }

 private:
  struct Named {
    std::uint32_t number;
    std::size_t first_use;  // where in the text
    bool is_defined;
  };

  [[noreturn]] void fail(const std::string& what) const {
    const auto line = 1 + std::ranges::count(text_.substr(0, pos_), '\n');
    throw usage_error("the grammar, line " + std::to_string(line) + ": " + what, "write it as llama.cpp's GBNF");
  }

  char peek() const { return pos_ < text_.size() ? text_[pos_] : '\0'; }
  bool take(char c) {
    if (pos_ >= text_.size() || text_[pos_] != c) return false;
    ++pos_;
    return true;
  }

  void skip_space(bool over_lines) {
    while (pos_ < text_.size()) {
      const char c = text_[pos_];
      if (c == '#') {
        while (pos_ < text_.size() && text_[pos_] != '\n') ++pos_;
      } else if (c == ' ' || c == '\t' || (over_lines && (c == '\n' || c == '\r'))) {
        ++pos_;
      } else {
        return;
      }
    }
  }

  std::string parse_name() {
    const std::size_t begin = pos_;
    while (pos_ < text_.size() && is_name_character(text_[pos_])) ++pos_;
    if (pos_ == begin) fail("the name of a rule is expected");
    return std::string(text_.substr(begin, pos_ - begin));
  }

  Named& rule(const std::string& name) {
    const auto found = rules_.find(name);
    if (found != rules_.end()) return found->second;
    return rules_.emplace(name, Named{grammar_.add(name), pos_, false}).first->second;
  }

  void parse_rule() {
    Named& named = rule(parse_name());
    if (std::exchange(named.is_defined, true))
      fail("the rule " + grammar_.rules[named.number].name + " is there twice");
    skip_space(false);
    if (!text_.substr(pos_).starts_with("::=")) fail("::= is expected");
    pos_ += 3;
    skip_space(true);
    Expression expression = parse_choice(0);
    grammar_.rules[named.number].expression = std::move(expression);
    if (pos_ < text_.size() && peek() != '\n' && peek() != '\r') fail("the end of the line is expected");
    skip_space(true);
  }

  Expression parse_choice(int depth) {
    if (depth > kMaxDepth) fail("parentheses are nested deeper than " + std::to_string(kMaxDepth));
    std::vector<Expression> parts;
    do {
      if (!parts.empty()) skip_space(true);
      parts.push_back(parse_sequence(depth));
    } while (take('|'));
    return choice_of(std::move(parts));
  }

  Expression parse_sequence(int depth) {
    std::vector<Expression> parts;
    while (pos_ < text_.size()) {
      std::optional<Expression> part = parse_atom(depth);
      if (!part) break;
      skip_space(depth > 0);
      parts.push_back(parse_repeats(std::move(*part), depth));
    }
    return sequence_of(std::move(parts));
  }

  std::optional<Expression> parse_atom(int depth) {
    const char c = peek();
    if (is_name_character(c)) return rule_of(rule(parse_name()).number);
    if (take('"')) return parse_literal();
    if (take('[')) return parse_class();
    if (take('.')) return character_of(complement({}));
    if (take('(')) {
      skip_space(true);
      Expression inside = parse_choice(depth + 1);
      if (!take(')')) fail("a parenthesis is not closed");
      return inside;
    }
    if (c == '<') fail("tokens are not supported: write their text as a string");
    return std::nullopt;
  }

  // Any number of *, +, ? and {m,n}.
  Expression parse_repeats(Expression part, int depth) {
    for (int count = 0;; ++count) {
      if (count > kMaxDepth) fail("there are too many repetitions of one another");
      if (take('*')) {
        part = repeat_of(std::move(part), 0, kUnlimited);
      } else if (take('+')) {
        part = repeat_of(std::move(part), 1, kUnlimited);
      } else if (take('?')) {
        part = optional_of(std::move(part));
      } else if (take('{')) {
        part = parse_braces(std::move(part));
      } else {
        return part;
      }
      skip_space(depth > 0);
    }
  }

  Expression parse_braces(Expression part) {
    skip_space(false);
    const std::uint32_t min = parse_count();
    std::uint32_t max = min;
    skip_space(false);
    if (take(',')) {
      skip_space(false);
      max = peek() == '}' ? kUnlimited : parse_count();
      skip_space(false);
    }
    if (!take('}')) fail("} is expected");
    if (max < min) fail("a repetition has a maximum below its minimum");
    return repeat_of(std::move(part), min, max);
  }

  std::uint32_t parse_count() {
    std::uint32_t count = 0;
    const std::size_t begin = pos_;
    for (; peek() >= '0' && peek() <= '9'; ++pos_) {
      count = 10 * count + static_cast<std::uint32_t>(peek() - '0');
      if (count > kMaxRepeats) fail("something is repeated more than " + std::to_string(kMaxRepeats) + " times");
    }
    if (pos_ == begin) fail("a number is expected");
    return count;
  }

  char32_t parse_hex(int digits) {
    char32_t value = 0;
    for (int i = 0; i < digits; ++i) {
      const int digit = hex_digit(peek());
      if (digit < 0) fail("an escape needs " + std::to_string(digits) + " hexadecimal digits");
      value = 16 * value + static_cast<char32_t>(digit);
      ++pos_;
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) fail("an escape is no character");
    return value;
  }

  char32_t parse_character() {
    if (take('\\')) {
      static constexpr std::string_view kNames = "nrt\\\"[]-^", kMeant = "\n\r\t\\\"[]-^";
      const char c = peek();
      ++pos_;
      if (c == 'x') return parse_hex(2);
      if (c == 'u') return parse_hex(4);
      if (c == 'U') return parse_hex(8);
      const std::size_t at = kNames.find(c);
      if (c == '\0' || at == std::string_view::npos) fail("an escape is unknown");
      return static_cast<char32_t>(kMeant[at]);
    }
    const Decoded decoded = decode_utf8(text_, pos_);
    if (!decoded.valid) fail("the text is not UTF-8");
    pos_ += decoded.size;
    return decoded.code_point;
  }

  Expression parse_literal() {
    std::string bytes;
    while (!take('"')) {
      if (pos_ >= text_.size() || peek() == '\n') fail("a string is not closed");
      append_utf8(bytes, parse_character());
    }
    return text_of(std::move(bytes));
  }

  Expression parse_class() {
    const bool is_negated = take('^');
    CharRanges ranges;
    while (!take(']')) {
      if (pos_ >= text_.size() || peek() == '\n') fail("a [ is not closed");
      const char32_t first = parse_character();
      char32_t last = first;
      if (peek() == '-' && pos_ + 1 < text_.size() && text_[pos_ + 1] != ']') {
        ++pos_;
        last = parse_character();
      }
      if (last < first) fail("a range of characters is empty");
      ranges.push_back({first, last});
    }
    return character_of(is_negated ? complement(ranges) : std::move(ranges));
  }

  const std::string_view text_;
  std::size_t pos_ = 0;
  Grammar grammar_;
  std::map<std::string, Named, std::less<>> rules_;
};

}  // namespace

Grammar parse_gbnf(std::string_view text) {
  if (text.size() > kMaxTextBytes) {
    throw usage_error("the grammar has more than " + std::to_string(kMaxTextBytes) + " bytes", "make it smaller");
  }
  return GbnfParser(text).parse();
}

}  // namespace strata::grammar
