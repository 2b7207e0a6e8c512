// SPDX-License-Identifier: Apache-2.0
#include "text/pre_tokenizer.h"

#include "base/split_regex.h"
#include "base/unicode.h"
#include "base/utf8.h"

namespace strata::text {
namespace {

struct KnownPattern {
  SplitPattern pattern;
  const char* name;
  std::string_view regex;
};

constexpr KnownPattern kKnownPatterns[] = {
    {SplitPattern::kQwen2, "Qwen2/Qwen3", kQwen2SplitRegex},
    {SplitPattern::kLlama3, "Llama 3", kLlama3SplitRegex},
    {SplitPattern::kGpt2, "GPT-2", kGpt2SplitRegex},
};

constexpr int kUnbounded = -1;

struct Classified {
  CharClass kind;
  std::size_t size;
};

Classified classify_at(std::string_view text, std::size_t pos) {
  const Decoded character = decode_utf8(text, pos);
  return {char_class(character.code_point), character.size};
}

// End of the run of characters of one class, at most `limit` of them.
std::size_t run_end(CharClass kind, std::string_view text, std::size_t pos, int limit = kUnbounded) {
  while (pos < text.size() && limit-- != 0) {
    const Classified character = classify_at(text, pos);
    if (character.kind != kind) break;
    pos += character.size;
  }
  return pos;
}

bool is_line_break(char byte) { return byte == '\n' || byte == '\r'; }

// Length of an English contraction ('s 't 're 've 'm 'll 'd) at `pos`, else 0. Ignoring case, the long s U+017F
// folds to s as well.
std::size_t contraction_size(std::string_view text, std::size_t pos, bool ignore_case) {
  if (text[pos] != '\'' || pos + 1 >= text.size()) return 0;
  const auto letter = [&](std::size_t at) {
    const char byte = at < text.size() ? text[at] : '\0';
    return ignore_case && byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
  };
  const char first = letter(pos + 1), second = letter(pos + 2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l')) return 3;
  if (ignore_case && text.substr(pos + 1, 2) == "\xC5\xBF") return 3;
  return 0;
}

// The last two alternatives of all patterns, \s+(?!\S)|\s+ : before a non-space, the last space is left to the word.
std::size_t space_run_end(std::string_view text, std::size_t pos) {
  std::size_t last = pos, end = pos;
  while (end < text.size()) {
    const Classified character = classify_at(text, end);
    if (character.kind != CharClass::kSpace) break;
    last = end;
    end += character.size;
  }
  return end == text.size() || last == pos ? end : last;
}

// Alternative \s*[\r\n]+ : up to the last line break of a run of spaces; `pos` where there is none.
std::size_t line_break_end(std::string_view text, std::size_t pos) {
  std::size_t found = pos;
  for (std::size_t end = pos; end < text.size();) {
    const Classified character = classify_at(text, end);
    if (character.kind != CharClass::kSpace) break;
    end += character.size;
    if (is_line_break(text[end - 1])) found = end;
  }
  return found;
}

std::size_t next_word_llama(std::string_view text, std::size_t pos, int max_digits) {
  if (const std::size_t size = contraction_size(text, pos, true)) return pos + size;
  const Classified first = classify_at(text, pos);
  const std::size_t after = pos + first.size;
  if (first.kind == CharClass::kLetter) return run_end(CharClass::kLetter, text, after);
  if (first.kind == CharClass::kNumber) return run_end(CharClass::kNumber, text, pos, max_digits);
  if (!is_line_break(text[pos])) {
    const std::size_t end = run_end(CharClass::kLetter, text, after);
    if (end > after) return end;
  }
  const std::size_t begin = text[pos] == ' ' ? after : pos;
  std::size_t end = run_end(CharClass::kOther, text, begin);
  if (end > begin) {
    while (end < text.size() && is_line_break(text[end])) ++end;
    return end;
  }
  end = line_break_end(text, pos);
  return end > pos ? end : space_run_end(text, pos);
}

std::size_t next_word_gpt2(std::string_view text, std::size_t pos) {
  if (const std::size_t size = contraction_size(text, pos, false)) return pos + size;
  const std::size_t begin = text[pos] == ' ' ? pos + 1 : pos;
  if (begin < text.size()) {
    const CharClass kind = classify_at(text, begin).kind;
    if (kind != CharClass::kSpace) return run_end(kind, text, begin);
  }
  return space_run_end(text, pos);
}

std::size_t next_word_digits(std::string_view text, std::size_t pos, int max_digits) {
  const bool is_number = classify_at(text, pos).kind == CharClass::kNumber;
  if (is_number) return run_end(CharClass::kNumber, text, pos, max_digits);
  while (pos < text.size()) {
    const Classified character = classify_at(text, pos);
    if (character.kind == CharClass::kNumber) break;
    pos += character.size;
  }
  return pos;
}

}  // namespace

std::optional<SplitPattern> find_split_pattern(std::string_view regex) {
  for (const KnownPattern& known : kKnownPatterns) {
    if (known.regex == regex) return known.pattern;
  }
  return std::nullopt;
}

std::string supported_split_patterns() {
  std::string names;
  for (const KnownPattern& known : kKnownPatterns) {
    if (!names.empty()) names += ", ";
    names += known.name;
  }
  return names;
}

std::size_t next_word(SplitPattern pattern, std::string_view text, std::size_t pos) {
  switch (pattern) {
    case SplitPattern::kQwen2:
      return next_word_llama(text, pos, 1);
    case SplitPattern::kLlama3:
      return next_word_llama(text, pos, 3);
    case SplitPattern::kGpt2:
      return next_word_gpt2(text, pos);
    case SplitPattern::kDigit:
      return next_word_digits(text, pos, 1);
    case SplitPattern::kDigitRun:
      return next_word_digits(text, pos, kUnbounded);
  }
  return text.size();
}

}  // namespace strata::text
