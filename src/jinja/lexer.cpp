// SPDX-License-Identifier: Apache-2.0
#include "jinja/lexer.h"

#include <algorithm>
#include <string_view>

#include "base/ascii.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "jinja/error.h"

namespace strata::jinja {
namespace {

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_name_character(char c) { return is_name_start(c) || is_digit(c); }

std::string normalize_line_breaks(const std::string& source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out.push_back(source[i]);
    } else {
      out.push_back('\n');
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

// End of the whitespace that begins at `pos`.
std::size_t skip_spaces(std::string_view text, std::size_t pos) {
  while (pos < text.size()) {
    const Decoded character = decode_utf8(text, pos);
    if (!is_python_space(character.code_point)) break;
    pos += character.size;
  }
  return pos;
}

// Beginning of the whitespace that ends at `end`.
std::size_t rstrip_end(std::string_view text, std::size_t begin, std::size_t end) {
  while (end > begin) {
    std::size_t pos = end - 1;
    while (pos > begin && (static_cast<unsigned char>(text[pos]) & 0xC0) == 0x80) --pos;
    if (!is_python_space(decode_utf8(text, pos).code_point)) break;
    end = pos;
  }
  return end;
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Names are compared again and again.
constexpr std::size_t kMaxNameBytes = 128;

class Lexer {
 public:
  explicit Lexer(const std::string& source) : source_(normalize_line_breaks(source)), text_(source_) {}

  std::vector<Token> run() {
    while (pos_ < text_.size()) lex_root();
    emit(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& message) { throw TemplateError(Fault::kTemplate, message, line_at(pos_)); }

  // Lines are counted forward only; positions asked for never go back by more than a token.
  int line_at(std::size_t pos) {
    if (pos < counted_) return line_;
    line_ +=
        static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(counted_),
                                    text_.begin() + static_cast<std::ptrdiff_t>(std::min(pos, text_.size())), '\n'));
    counted_ = std::min(pos, text_.size());
    return line_;
  }

  void emit(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_at(pos_)}); }

  bool starts_with(std::size_t pos, std::string_view what) const { return text_.substr(pos, what.size()) == what; }

  // Data up to the next tag, then the tag.
  void lex_root() {
    const std::size_t tag = find_tag(pos_);
    if (tag == std::string_view::npos) {
      emit(TokenKind::kData, std::string(text_.substr(pos_)));
      pos_ = text_.size();
      return;
    }
    const char kind = text_[tag + 1];
    const char sign =
        tag + 2 < text_.size() && (text_[tag + 2] == '-' || text_[tag + 2] == '+') ? text_[tag + 2] : '\0';
    emit_data(tag, sign, kind != '{');
    pos_ = tag + 2 + (sign != '\0');
    if (kind == '#') return lex_comment();
    if (kind == '%' && lex_raw()) return;
    emit(kind == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin, "");
    lex_tag(kind == '{');
  }

  std::size_t find_tag(std::size_t pos) const {
    for (pos = text_.find('{', pos); pos != std::string_view::npos; pos = text_.find('{', pos + 1)) {
      const char next = pos + 1 < text_.size() ? text_[pos + 1] : '\0';
      if (next == '{' || next == '%' || next == '#') return pos;
    }
    return std::string_view::npos;
  }

  void emit_data(std::size_t end, char sign, bool strips_line) {
    if (sign == '-') {
      end = rstrip_end(text_, pos_, end);
    } else if (sign == '\0' && strips_line) {
      end = strip_line_start(end);
    }
    if (end > pos_) emit(TokenKind::kData, std::string(text_.substr(pos_, end - pos_)));
  }

  // lstrip_blocks: where only whitespace stands before the tag on its line, it is dropped.
  std::size_t strip_line_start(std::size_t end) const {
    const std::size_t line_break = text_.substr(pos_, end - pos_).rfind('\n');
    const bool at_line_start = pos_ == 0 || text_[pos_ - 1] == '\n';
    if (line_break == std::string_view::npos && !at_line_start) return end;
    const std::size_t line = line_break == std::string_view::npos ? pos_ : pos_ + line_break + 1;
    return skip_spaces(text_.substr(0, end), line) == end ? line : end;
  }

  void lex_comment() {
    const std::size_t end = text_.find("#}", pos_);
    if (end == std::string_view::npos) fail("a comment is not closed");
    const bool has_sign = end > pos_ && (text_[end - 1] == '-' || text_[end - 1] == '+');
    finish_tag(end + 2, has_sign ? text_[end - 1] : '\0', true);
  }

  // After the end of a tag: what whitespace control drops.
  void finish_tag(std::size_t end, char sign, bool is_block) {
    pos_ = end;
    if (sign == '-') {
      pos_ = skip_spaces(text_, pos_);
    } else if (sign == '\0' && is_block && pos_ < text_.size() && text_[pos_] == '\n') {
      ++pos_;
    }
  }

  // {% raw %} ... {% endraw %}; pos_ is after "{%" and its sign.
  bool lex_raw() {
    std::size_t pos = skip_spaces(text_, pos_);
    if (!starts_with(pos, "raw")) return false;
    pos = skip_spaces(text_, pos + 3);
    const bool strips = starts_with(pos, "-%}");
    if (!strips && !starts_with(pos, "%}")) return false;
    pos_ = pos + 2;
    if (strips) pos_ = skip_spaces(text_, pos + 3);
    const std::size_t begin = pos_;
    for (std::size_t tag = text_.find("{%", begin); tag != std::string_view::npos; tag = text_.find("{%", tag + 1)) {
      if (lex_endraw(tag)) return true;
    }
    fail("a raw block is not closed");
  }

  bool lex_endraw(std::size_t tag) {
    const char sign =
        tag + 2 < text_.size() && (text_[tag + 2] == '-' || text_[tag + 2] == '+') ? text_[tag + 2] : '\0';
    std::size_t pos = skip_spaces(text_, tag + 2 + (sign != '\0'));
    if (!starts_with(pos, "endraw")) return false;
    pos = skip_spaces(text_, pos + 6);
    const char end_sign = starts_with(pos, "-%}") ? '-' : starts_with(pos, "+%}") ? '+' : '\0';
    pos += end_sign != '\0';
    if (!starts_with(pos, "%}")) return false;
    emit_data(tag, sign, true);
    finish_tag(pos + 2, end_sign, true);
    return true;
  }

  void lex_tag(bool is_variable) {
    std::string open;  // brackets that wait for their partner; an end tag inside of them is none
    for (;;) {
      pos_ = skip_spaces(text_, pos_);
      if (pos_ >= text_.size()) fail("a tag is not closed");
      if (open.empty() && lex_tag_end(is_variable)) return;
      lex_token(open);
    }
  }

  bool lex_tag_end(bool is_variable) {
    const std::string_view end = is_variable ? "}}" : "%}";
    const char first = text_[pos_];
    const bool has_sign = (first == '-' || (first == '+' && !is_variable)) && starts_with(pos_ + 1, end);
    if (!has_sign && !starts_with(pos_, end)) return false;
    emit(is_variable ? TokenKind::kVariableEnd : TokenKind::kBlockEnd, "");
    finish_tag(pos_ + 2 + has_sign, has_sign ? first : '\0', !is_variable);
    return true;
  }

  void lex_token(std::string& open) {
    const char c = text_[pos_];
    if (is_digit(c)) return lex_number();
    if (is_name_start(c)) return lex_name();
    if (c == '"' || c == '\'') return lex_string(c);
    lex_operator(open);
  }

  void lex_name() {
    std::size_t end = pos_;
    while (end < text_.size() && is_name_character(text_[end])) ++end;
    if (end - pos_ > kMaxNameBytes) fail("a name is longer than 128 characters");
    emit(TokenKind::kName, std::string(text_.substr(pos_, end - pos_)));
    pos_ = end;
  }

  // Digits with single underscores between them; returns the end, which is `pos` where there are none.
  std::size_t digits_end(std::size_t pos) const {
    while (pos < text_.size() &&
           (is_digit(text_[pos]) || (text_[pos] == '_' && pos + 1 < text_.size() && is_digit(text_[pos + 1])))) {
      ++pos;
    }
    return pos;
  }

  void lex_number() {
    std::size_t end = pos_;
    TokenKind kind = TokenKind::kInteger;
    const char base = pos_ + 1 < text_.size() ? static_cast<char>(text_[pos_ + 1] | 0x20) : '\0';
    if (text_[pos_] == '0' && (base == 'x' || base == 'o' || base == 'b')) {
      end = pos_ + 2;
      while (end < text_.size() && (hex_value(text_[end]) >= 0 || text_[end] == '_')) ++end;
    } else {
      end = digits_end(pos_);
      if (starts_with(end, ".") && digits_end(end + 1) > end + 1) {
        end = digits_end(end + 1);
        kind = TokenKind::kFloat;
      }
      if (end < text_.size() && (text_[end] | 0x20) == 'e') {
        const std::size_t sign = end + 1 < text_.size() && (text_[end + 1] == '+' || text_[end + 1] == '-');
        if (digits_end(end + 1 + sign) > end + 1 + sign) {
          end = digits_end(end + 1 + sign);
          kind = TokenKind::kFloat;
        }
      }
    }
    std::string literal(text_.substr(pos_, end - pos_));
    std::erase(literal, '_');
    emit(kind, std::move(literal));
    pos_ = end;
  }

  void lex_string(char quote) {
    std::string value;
    std::size_t pos = pos_ + 1;
    while (pos < text_.size() && text_[pos] != quote) {
      if (text_[pos] == '\\') {
        pos = lex_escape(pos + 1, value);
      } else {
        value.push_back(text_[pos++]);
      }
    }
    if (pos >= text_.size()) fail("a string is not closed");
    emit(TokenKind::kString, std::move(value));
    pos_ = pos + 1;
  }

  // One escape of a Python string literal; `pos` is after the backslash. Returns the position after it.
  std::size_t lex_escape(std::size_t pos, std::string& value) {
    if (pos >= text_.size()) fail("a string is not closed");
    static constexpr std::string_view kLetters = "abfnrtv\\'\"", kMeanings = "\a\b\f\n\r\t\v\\'\"";
    const char c = text_[pos];
    if (const std::size_t known = kLetters.find(c); known != std::string_view::npos) {
      value.push_back(kMeanings[known]);
      return pos + 1;
    }
    if (c == '\n') return pos + 1;
    if (c >= '0' && c <= '7') return lex_octal(pos, value);
    if (c == 'x') return lex_hex(pos + 1, 2, value);
    if (c == 'u') return lex_hex(pos + 1, 4, value);
    if (c == 'U') return lex_hex(pos + 1, 8, value);
    value.push_back('\\');
    return pos;
  }

  std::size_t lex_octal(std::size_t pos, std::string& value) {
    char32_t code_point = 0;
    const std::size_t limit = pos + 3;
    for (; pos < limit && pos < text_.size() && text_[pos] >= '0' && text_[pos] <= '7'; ++pos) {
      code_point = code_point * 8 + static_cast<char32_t>(text_[pos] - '0');
    }
    append_utf8(value, code_point);
    return pos;
  }

  std::size_t lex_hex(std::size_t pos, int digits, std::string& value) {
    std::uint64_t code_point = 0;
    for (int i = 0; i < digits; ++i, ++pos) {
      const int digit = pos < text_.size() ? hex_value(text_[pos]) : -1;
      if (digit < 0) fail("a \\x, \\u or \\U escape is too short");
      code_point = code_point * 16 + static_cast<std::uint64_t>(digit);
    }
    const bool is_character = code_point < 0x110000 && (code_point < 0xD800 || code_point > 0xDFFF);
    if (!is_character) fail("an escape names no character");
    append_utf8(value, static_cast<char32_t>(code_point));
    return pos;
  }

  void lex_operator(std::string& open) {
    for (const std::string_view two : {"//", "**", "==", "!=", ">=", "<="}) {
      if (starts_with(pos_, two)) return emit_operator(two);
    }
    const char c = text_[pos_];
    if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string_view::npos) {
      fail(std::string("unexpected character '") + c + "'");
    }
    if (c == '(') open.push_back(')');
    if (c == '[') open.push_back(']');
    if (c == '{') open.push_back('}');
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c) fail(std::string("unexpected '") + c + "'");
      open.pop_back();
    }
    emit_operator(text_.substr(pos_, 1));
  }

  void emit_operator(std::string_view text) {
    emit(TokenKind::kOperator, std::string(text));
    pos_ += text.size();
  }

  const std::string source_;
  const std::string_view text_;
  std::size_t pos_ = 0;
  std::size_t counted_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(const std::string& source) { return Lexer(source).run(); }

}  // namespace strata::jinja
