// SPDX-License-Identifier: Apache-2.0
#include "ir/text_scanner.h"

#include <charconv>
#include <limits>

#include "base/ascii.h"
#include "base/error.h"

namespace strata::ir {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '.'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

void TextScanner::fail_at(std::size_t position, const std::string& what, const std::string& remedy) const {
  std::size_t line = 1;
  std::size_t line_start = 0;
  for (std::size_t i = 0; i < position && i < text_.size(); ++i) {
    if (text_[i] != '\n') continue;
    ++line;
    line_start = i + 1;
  }
  throw model_error(what, origin_ + ":" + std::to_string(line) + ":" + std::to_string(position - line_start + 1),
                    remedy);
}

void TextScanner::fail(const std::string& what, const std::string& remedy) const { fail_at(at_, what, remedy); }

void TextScanner::skip_blanks() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
      ++at_;
    } else if (text_.substr(at_, 2) == "//") {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    } else {
      return;
    }
  }
}

std::size_t TextScanner::position() {
  skip_blanks();
  return at_;
}

bool TextScanner::at_end() { return position() == text_.size(); }

char TextScanner::peek() { return at_end() ? '\0' : text_[at_]; }

std::string_view TextScanner::word_here() const {
  std::size_t end = at_;
  while (end < text_.size() && is_word(text_[end])) ++end;
  return text_.substr(at_, end - at_);
}

std::string TextScanner::found_text() const {
  if (at_ >= text_.size()) return "the end of the text";
  const std::string_view word = word_here();
  return "'" + std::string(word.empty() ? text_.substr(at_, 1) : word.substr(0, 40)) + "'";
}

bool TextScanner::accept(std::string_view punctuation) {
  skip_blanks();
  if (text_.substr(at_, punctuation.size()) != punctuation) return false;
  at_ += punctuation.size();
  return true;
}

void TextScanner::expect(std::string_view punctuation) {
  if (!accept(punctuation)) fail("found " + found_text(), "write '" + std::string(punctuation) + "' here");
}

bool TextScanner::accept_word(std::string_view word) {
  skip_blanks();
  if (word_here() != word) return false;
  at_ += word.size();
  return true;
}

void TextScanner::expect_word(std::string_view word) {
  if (!accept_word(word)) fail("found " + found_text(), "write '" + std::string(word) + "' here");
}

std::string TextScanner::identifier(const std::string& what) {
  skip_blanks();
  const std::string_view word = word_here();
  if (word.empty() || !is_letter(word[0])) fail("found " + found_text(), "write " + what + " here");
  at_ += word.size();
  return std::string(word);
}

std::string TextScanner::value_name() {
  expect("%");
  const std::string_view word = word_here();
  if (word.empty()) fail("a value has no name", "write a name or a number after %");
  at_ += word.size();
  return std::string(word);
}

std::int64_t TextScanner::integer(const std::string& what) {
  skip_blanks();
  std::int64_t value = 0;
  const auto [end, status] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
  if (status == std::errc::result_out_of_range) fail("an integer has more than 64 bits", "write a smaller one");
  if (status != std::errc()) fail("found " + found_text(), "write " + what + " here");
  at_ = static_cast<std::size_t>(end - text_.data());
  return value;
}

double TextScanner::number(bool& is_integer, std::int64_t& integer_value) {
  skip_blanks();
  double value = 0;
  const char* const begin = text_.data() + at_;
  const char* const limit = text_.data() + text_.size();
  const auto [end, status] = std::from_chars(begin, limit, value);
  if (status == std::errc::result_out_of_range) fail("a number is beyond the range of a double", "write another one");
  if (status != std::errc()) fail("found " + found_text(), "write a number here");
  const std::string_view digits(begin, static_cast<std::size_t>(end - begin));
  is_integer = digits.find_first_not_of("-0123456789") == std::string_view::npos;
  if (is_integer) {
    integer_value = integer("a number");
  } else {
    at_ += digits.size();
  }
  return value;
}

std::string TextScanner::string() {
  expect("\"");
  std::string out;
  while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n') {
    char c = text_[at_++];
    if (c == '\\') {
      c = at_ < text_.size() ? text_[at_++] : '\0';
      if (c == 'x') {
        const int high = at_ < text_.size() ? hex_digit(text_[at_]) : -1;
        const int low = at_ + 1 < text_.size() ? hex_digit(text_[at_ + 1]) : -1;
        if (high < 0 || low < 0) fail("\\x is not followed by two hexadecimal digits", "write them");
        c = static_cast<char>(high * 16 + low);
        at_ += 2;
      } else if (c != '"' && c != '\\') {
        fail("a string has an unknown escape", "write \\\", \\\\ or \\xNN");
      }
    }
    out += c;
  }
  if (at_ >= text_.size() || text_[at_] != '"') fail("a string is not closed", "end it with \" on the same line");
  ++at_;
  return out;
}

}  // namespace strata::ir
