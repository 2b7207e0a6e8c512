// SPDX-License-Identifier: Apache-2.0
#include "text/pre_tokenizer.h"

#include <algorithm>

#include "base/split_regex.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "text/normalizer.h"
#include "text/space_symbol.h"

namespace strata::text {
namespace {

struct KnownPattern {
  SplitPattern pattern;
  const char* name;
  std::string_view regex;
};

constexpr KnownPattern kKnownPatterns[] = {
    {SplitPattern::kQwen2, "Qwen2/Qwen3", kQwen2SplitRegex}, {SplitPattern::kLlama3, "Llama 3", kLlama3SplitRegex},
    {SplitPattern::kGpt2, "GPT-2", kGpt2SplitRegex},         {SplitPattern::kQwen35, "Qwen3.5", kQwen35SplitRegex},
    {SplitPattern::kTekken, "Tekken", kTekkenSplitRegex},    {SplitPattern::kGpt4o, "GPT-4o", kGpt4oSplitRegex},
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

// The alternatives that end the patterns of Llama's kind, from " ?[^\s\p{L}\p{N}]+" on: a run of other characters, with
// line breaks after it (`or_slash`: slashes too), else spaces. Where they are left out, a run ends before a mark.
std::size_t rest_end(std::string_view text, std::size_t pos, bool or_slash = false, bool with_marks = true) {
  const std::size_t begin = text[pos] == ' ' ? pos + 1 : pos;
  std::size_t end = begin;
  while (end < text.size()) {
    const Decoded character = decode_utf8(text, end);
    if (char_class(character.code_point) != CharClass::kOther) break;
    if (!with_marks && is_mark(character.code_point)) break;
    end += character.size;
  }
  if (end > begin) {
    while (end < text.size() && (is_line_break(text[end]) || (or_slash && text[end] == '/'))) ++end;
    return end;
  }
  end = line_break_end(text, pos);
  return end > pos ? end : space_run_end(text, pos);
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
  return rest_end(text, pos);
}

// End of a run of letters and marks.
std::size_t letter_run_end(std::string_view text, std::size_t pos) {
  while (pos < text.size()) {
    const Decoded character = decode_utf8(text, pos);
    if (char_class(character.code_point) != CharClass::kLetter && !is_mark(character.code_point)) break;
    pos += character.size;
  }
  return pos;
}

std::size_t next_word_qwen35(std::string_view text, std::size_t pos) {
  if (const std::size_t size = contraction_size(text, pos, true)) return pos + size;
  if (const std::size_t end = letter_run_end(text, pos); end > pos) return end;
  const Classified first = classify_at(text, pos);
  const std::size_t after = pos + first.size;
  if (first.kind == CharClass::kNumber) return after;
  if (!is_line_break(text[pos])) {
    const std::size_t end = letter_run_end(text, after);
    if (end > after) return end;
  }
  return rest_end(text, pos, false, false);
}

struct CasedRun {
  std::size_t end = 0;
  bool has_small = false;  // it ends with small letters, or such that may be
};

// Letters and marks from `pos` on: capitals, then small letters. Those that may be either are taken as capitals, but
// for the last one where no small letter follows: the capitals after it are left out then.
CasedRun cased_run(std::string_view text, std::size_t pos) {
  const auto side_at = [&](std::size_t at, std::size_t& size) {
    const Decoded character = decode_utf8(text, at);
    size = character.size;
    return letter_side(character.code_point);
  };
  std::size_t end = pos, after_either = pos, size = 0;
  LetterSide side = LetterSide::kNone;
  while (end < text.size()) {
    side = side_at(end, size);
    if (side != LetterSide::kCapital && side != LetterSide::kEither) break;
    end += size;
    if (side == LetterSide::kEither) after_either = end;
  }
  if (end < text.size() && side == LetterSide::kSmall) {
    while (end < text.size()) {
      side = side_at(end, size);
      if (side != LetterSide::kSmall && side != LetterSide::kEither) break;
      end += size;
    }
    return {end, true};
  }
  return after_either > pos ? CasedRun{after_either, true} : CasedRun{end, false};
}

// Tries the run with one other character before it and without: first such as end with small letters.
std::size_t cased_word_end(std::string_view text, std::size_t pos) {
  const Classified first = classify_at(text, pos);
  const bool may_lead =
      (first.kind == CharClass::kOther || first.kind == CharClass::kSpace) && !is_line_break(text[pos]);
  const std::size_t after = pos + first.size;
  const CasedRun led = may_lead ? cased_run(text, after) : CasedRun{after}, alone = cased_run(text, pos);
  if (led.has_small) return led.end;
  if (alone.has_small) return alone.end;
  if (led.end > after) return led.end;
  return alone.end;
}

std::size_t next_word_cased(std::string_view text, std::size_t pos, int max_digits, bool with_contractions) {
  if (const std::size_t end = cased_word_end(text, pos); end > pos) {
    const bool may_follow = with_contractions && end < text.size();
    return end + (may_follow ? contraction_size(text, end, true) : 0);
  }
  if (classify_at(text, pos).kind == CharClass::kNumber) return run_end(CharClass::kNumber, text, pos, max_digits);
  return rest_end(text, pos, true);
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
    case SplitPattern::kQwen35:
      return next_word_qwen35(text, pos);
    case SplitPattern::kTekken:
      return next_word_cased(text, pos, 1, false);
    case SplitPattern::kGpt4o:
      return next_word_cased(text, pos, 3, true);
    case SplitPattern::kGpt2:
      return next_word_gpt2(text, pos);
    case SplitPattern::kDigit:
      return next_word_digits(text, pos, 1);
    case SplitPattern::kDigitRun:
      return next_word_digits(text, pos, kUnbounded);
  }
  return text.size();
}

std::string_view PreTokenizer::prepared(const Step& step, std::string_view text, bool begins, std::string& storage) {
  if (std::holds_alternative<PrefixSpaceStep>(step) && text.front() != ' ') {
    return storage.assign(" ").append(text);
  }
  const auto* metaspace = std::get_if<MetaspaceStep>(&step);
  if (metaspace == nullptr) return text;
  storage = replace_all(text, " ", metaspace->symbol);
  using Prepend = MetaspaceStep::Prepend;
  const bool prepends =
      metaspace->prepend == Prepend::kAlways || (metaspace->prepend == Prepend::kToTextBegin && begins);
  if (prepends && !storage.starts_with(metaspace->symbol)) storage.insert(0, metaspace->symbol);
  return storage;
}

std::size_t PreTokenizer::end_of_piece(const Step& step, std::string_view text, std::size_t pos) {
  const auto or_end = [&](std::size_t found) { return std::min(found, text.size()); };
  if (const auto* pattern = std::get_if<SplitPattern>(&step)) return next_word(*pattern, text, pos);
  if (const auto* pattern = std::get_if<CharacterPattern>(&step)) return pattern->end_of_piece(text, pos);
  if (const auto* metaspace = std::get_if<MetaspaceStep>(&step)) {
    return metaspace->splits ? or_end(text.find(metaspace->symbol, pos + 1)) : text.size();
  }
  if (const auto* split = std::get_if<LiteralSplit>(&step)) {
    const std::size_t found = text.find(split->text, pos);
    if (found == std::string_view::npos) return text.size();
    if (found > pos && split->before) return found;
    const std::size_t end = found + split->text.size();
    return split->after ? end : or_end(text.find(split->text, end));
  }
  if (std::holds_alternative<SpaceSymbolSplit>(step)) {
    while (text.substr(pos).starts_with(kSpaceSymbolText)) pos += kSpaceSymbolText.size();
    return or_end(text.find(kSpaceSymbolText, pos));
  }
  return text.size();
}

}  // namespace strata::text
