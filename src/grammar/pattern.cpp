// SPDX-License-Identifier: Apache-2.0
#include "grammar/pattern.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "grammar/limits.h"

namespace strata::grammar {
namespace {

const CharRanges kDigits = {{'0', '9'}};
const CharRanges kWord = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const CharRanges kSpace = {{0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                           {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const CharRanges kLineEnds = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

Expression anything() { return repeat_of(character_of(complement({})), 0, kUnlimited); }

class PatternParser {
 public:
  explicit PatternParser(std::string_view text) : text_(text) {}

  Expression parse() {
    std::vector<Expression> parts;
    do {
      const bool is_begun = take('^');
      Expression part = parse_sequence(0);
      const bool is_ended = take('$');
      std::vector<Expression> whole;
      if (!is_begun) whole.push_back(anything());
      whole.push_back(std::move(part));
      if (!is_ended) whole.push_back(anything());
      parts.push_back(sequence_of(std::move(whole)));
    } while (take('|'));
    if (pos_ < text_.size()) fail_at();
    return choice_of(std::move(parts));
  }

 private:
  char peek() const { return pos_ < text_.size() ? text_[pos_] : '\0'; }
  bool take(char c) {
    if (pos_ >= text_.size() || text_[pos_] != c) return false;
    ++pos_;
    return true;
  }
  bool take(std::string_view word) {
    if (!text_.substr(pos_).starts_with(word)) return false;
    pos_ += word.size();
    return true;
  }

  [[noreturn]] void fail_at() const {
    switch (peek()) {
      case ')':
        throw PatternError("a parenthesis is closed that isn't open");
      case '^':
      case '$':
        throw PatternError("anchors inside of it are not supported");
      default:
        throw PatternError("there is nothing to repeat at byte " + std::to_string(pos_));
    }
  }

  Expression parse_choice(int depth) {
    if (depth > kMaxDepth) throw PatternError("it is nested deeper than " + std::to_string(kMaxDepth));
    std::vector<Expression> parts;
    do {
      parts.push_back(parse_sequence(depth));
    } while (take('|'));
    return choice_of(std::move(parts));
  }

  Expression parse_sequence(int depth) {
    std::vector<Expression> parts;
    while (std::optional<Expression> part = parse_atom(depth)) parts.push_back(parse_quantifier(std::move(*part)));
    return sequence_of(std::move(parts));
  }

  std::optional<Expression> parse_atom(int depth) {
    const char c = peek();
    if (pos_ >= text_.size() || std::string_view("|)^$*+?").find(c) != std::string_view::npos) return std::nullopt;
    if (take('(')) return parse_group(depth);
    if (take('[')) return character_of(parse_class());
    if (take('.')) return character_of(complement(kLineEnds));
    if (take('\\')) return character_of(parse_escape(false));
    const char32_t code_point = parse_literal();
    return character_of({{code_point, code_point}});
  }

  Expression parse_group(int depth) {
    if (take("?=") || take("?!") || take("?<=") || take("?<!")) throw PatternError("it looks ahead or behind");
    if (take("?<")) {
      while (pos_ < text_.size() && !take('>')) ++pos_;
    } else if (!take("?:") && peek() == '?') {
      throw PatternError("a group has flags");
    }
    Expression inside = parse_choice(depth + 1);
    if (!take(')')) {
      if (pos_ < text_.size()) fail_at();
      throw PatternError("a parenthesis is not closed");
    }
    return inside;
  }

  // One, and whether it is lazy doesn't matter: the same texts fit.
  Expression parse_quantifier(Expression part) {
    if (take('*')) {
      part = repeat_of(std::move(part), 0, kUnlimited);
    } else if (take('+')) {
      part = repeat_of(std::move(part), 1, kUnlimited);
    } else if (take('?')) {
      part = optional_of(std::move(part));
    } else if (peek() == '{' && is_counted()) {
      ++pos_;
      part = parse_counts(std::move(part));
    } else {
      return part;
    }
    take('?');
    return part;
  }

  // Otherwise a brace is a character.
  bool is_counted() const {
    const std::size_t end = text_.find('}', pos_);
    return end != std::string_view::npos && end > pos_ + 1 && text_[pos_ + 1] != ',' &&
           text_.substr(pos_ + 1, end - pos_ - 1).find_first_not_of("0123456789,") == std::string_view::npos;
  }

  Expression parse_counts(Expression part) {
    const std::uint32_t min = parse_count();
    std::uint32_t max = min;
    if (take(',')) max = peek() == '}' ? kUnlimited : parse_count();
    if (!take('}')) throw PatternError("a repetition is malformed");
    if (max < min) throw PatternError("a repetition has a maximum below its minimum");
    return repeat_of(std::move(part), min, max);
  }

  std::uint32_t parse_count() {
    std::uint32_t count = 0;
    for (; peek() >= '0' && peek() <= '9'; ++pos_) {
      count = 10 * count + static_cast<std::uint32_t>(peek() - '0');
      if (count > kMaxRepeats) throw PatternError("it repeats more than " + std::to_string(kMaxRepeats) + " times");
    }
    return count;
  }

  char32_t parse_literal() {
    const Decoded decoded = decode_utf8(text_, pos_);
    if (!decoded.valid) throw PatternError("it is not UTF-8");
    pos_ += decoded.size;
    return decoded.code_point;
  }

  char32_t parse_hex(std::size_t digits) {
    char32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i, ++pos_) {
      const std::size_t digit = std::string_view("0123456789abcdef").find(static_cast<char>(peek() | 0x20));
      if (digit == std::string_view::npos) throw PatternError("an escape needs hexadecimal digits");
      value = 16 * value + static_cast<char32_t>(digit);
    }
    return value;
  }

  CharRanges parse_escape(bool is_in_class) {
    const char c = peek();
    if (pos_ >= text_.size()) throw PatternError("it ends with a backslash");
    ++pos_;
    const auto one = [](char32_t code_point) { return CharRanges{{code_point, code_point}}; };
    switch (c) {
      case 'd':
        return kDigits;
      case 'D':
        return complement(kDigits);
      case 'w':
        return kWord;
      case 'W':
        return complement(kWord);
      case 's':
        return kSpace;
      case 'S':
        return complement(kSpace);
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 't':
        return one('\t');
      case 'f':
        return one('\f');
      case 'v':
        return one('\v');
      case '0':
        return one(0);
      case 'x':
        return one(parse_hex(2));
      case 'u':
        return one(parse_hex(4));
      case 'b':
        if (is_in_class) return one('\b');
        break;
      default:
        break;
    }
    const bool is_name = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_name) throw PatternError(std::string("\\") + c + " is not supported");
    --pos_;
    return one(parse_literal());
  }

  CharRanges parse_class() {
    const bool is_negated = take('^');
    CharRanges all;
    while (!take(']')) {
      const CharRanges first = parse_class_atom();
      const bool is_one = first.size() == 1 && first[0].first == first[0].last;
      if (is_one && peek() == '-' && pos_ + 1 < text_.size() && text_[pos_ + 1] != ']') {
        ++pos_;
        const CharRanges last = parse_class_atom();
        if (last.size() != 1 || last[0].first != last[0].last || last[0].first < first[0].first) {
          throw PatternError("a range of characters is malformed");
        }
        all.push_back({first[0].first, last[0].first});
      } else {
        all.insert(all.end(), first.begin(), first.end());
      }
    }
    return is_negated ? complement(all) : all;
  }

  CharRanges parse_class_atom() {
    if (pos_ >= text_.size()) throw PatternError("a [ is not closed");
    if (take('\\')) return parse_escape(true);
    const char32_t code_point = parse_literal();
    return {{code_point, code_point}};
  }

  const std::string_view text_;
  std::size_t pos_ = 0;
};

}  // namespace

Expression parse_pattern(std::string_view pattern) {
  if (pattern.size() > kMaxTextBytes) throw PatternError("it is too long");
  return PatternParser(pattern).parse();
}

}  // namespace strata::grammar
