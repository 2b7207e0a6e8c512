// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strata::ir {

// Reads the lexical parts of the IR's text form; every failure names origin:line:column.
class TextScanner {
 public:
  TextScanner(std::string_view text, std::string origin) : text_(text), origin_(std::move(origin)) {}

  // Throws Error (model) at the position where the last token was looked for.
  [[noreturn]] void fail(const std::string& what, const std::string& remedy = "") const;

  // Same, at a position taken before.
  [[noreturn]] void fail_at(std::size_t position, const std::string& what, const std::string& remedy = "") const;

  // After blanks and comments.
  std::size_t position();
  bool at_end();
  char peek();  // 0 at the end

  bool accept(std::string_view punctuation);
  void expect(std::string_view punctuation);
  bool accept_word(std::string_view word);
  void expect_word(std::string_view word);

  std::string identifier(const std::string& what);  // letters, digits, '_', '.', not starting with a digit or '.'
  std::string value_name();                         // after '%': an identifier or a number
  std::int64_t integer(const std::string& what);    // a sign is allowed
  std::string string();                             // between quotes

  // An integer or a float; `is_integer` tells which. Integers beyond 64 bits are refused.
  double number(bool& is_integer, std::int64_t& integer_value);

 private:
  void skip_blanks();
  std::string_view word_here() const;
  std::string found_text() const;

  std::string_view text_;
  std::string origin_;
  std::size_t at_ = 0;
};

}  // namespace strata::ir
