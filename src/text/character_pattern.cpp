// SPDX-License-Identifier: Apache-2.0
#include "text/character_pattern.h"

#include <algorithm>

#include "base/unicode.h"
#include "base/utf8.h"

namespace strata::text {
namespace {

constexpr std::size_t kMaxItems = 4;
constexpr std::size_t kMaxRegexBytes = 4096;

}  // namespace

bool CharacterPattern::CharacterClass::contains(char32_t character) const {
  const auto holds = [&](const auto& range) { return character >= range.first && character <= range.second; };
  if (std::ranges::any_of(ranges, holds)) return true;
  if (marks && is_mark(character)) return true;
  if (punctuation && is_punctuation(character)) return true;
  const CharClass kind = char_class(character);
  return (spaces && kind == CharClass::kSpace) || (letters && kind == CharClass::kLetter) ||
         (numbers && kind == CharClass::kNumber);
}

class CharacterPattern::Parser {
 public:
  explicit Parser(std::string_view regex) : rest_(regex) {}

  std::optional<CharacterPattern> parse() {
    CharacterPattern pattern;
    while (!rest_.empty() && pattern.items_.size() < kMaxItems) {
      if (rest_ == "$") break;
      Item item;
      if (!read_class(item.characters)) return std::nullopt;
      if (take('?')) {
        if (!pattern.items_.empty()) return std::nullopt;
        item.count = Count::kAtMostOne;
      } else if (take('+')) {
        item.count = Count::kAtLeastOne;
      }
      pattern.items_.push_back(std::move(item));
      if (pattern.items_.back().count == Count::kAtLeastOne) break;
    }
    pattern.at_end_ = take('$');
    const bool has_form =
        rest_.empty() && !pattern.items_.empty() && pattern.items_.back().count != Count::kAtMostOne &&
        (!pattern.at_end_ || (pattern.items_.size() == 1 && pattern.items_[0].count == Count::kAtLeastOne));
    return has_form ? std::optional(std::move(pattern)) : std::nullopt;
  }

 private:
  bool take(char character) {
    if (!rest_.starts_with(character)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool read_class(CharacterClass& out) {
    if (rest_.starts_with('\\')) return read_escape(out).has_value();
    if (!take('[') || rest_.starts_with('^') || rest_.starts_with(']')) return false;
    while (!take(']')) {
      if (rest_.empty() || !read_range(out)) return false;
    }
    return true;
  }

  bool read_range(CharacterClass& out) {
    // Sets within sets, and what "&&" does, are not read.
    if (rest_.starts_with('[') || rest_.starts_with("&&")) return false;
    std::optional<char32_t> first = kClassItself;
    if (rest_.starts_with('\\')) {
      first = read_escape(out);
      if (!first) return false;
      if (*first == kClassItself) return true;
      out.ranges.pop_back();
    } else {
      first = read_character();
    }
    char32_t last = *first;
    if (rest_.size() >= 2 && rest_[0] == '-' && rest_[1] != ']') {
      rest_.remove_prefix(1);
      if (rest_.starts_with('\\') || rest_.starts_with('[')) return false;
      last = read_character();
    }
    out.ranges.emplace_back(*first, last);
    return *first <= last;
  }

  char32_t read_character() {
    const Decoded character = decode_utf8(rest_, 0);
    rest_.remove_prefix(character.size);
    return character.code_point;
  }

  // The character, which is in `out` then, or kClassItself for a class of characters.
  std::optional<char32_t> read_escape(CharacterClass& out) {
    take('\\');
    if (rest_.empty()) return std::nullopt;
    for (const auto& [name, member] : {std::pair("p{L}", &CharacterClass::letters),
                                       {"p{M}", &CharacterClass::marks},
                                       {"p{N}", &CharacterClass::numbers},
                                       {"p{P}", &CharacterClass::punctuation},
                                       {"s", &CharacterClass::spaces}}) {
      const std::string_view text = name;
      if (!rest_.starts_with(text)) continue;
      rest_.remove_prefix(text.size());
      out.*member = true;
      return kClassItself;
    }
    constexpr std::string_view kLetters = "rnt", kMeant = "\r\n\t";
    char32_t character = read_character();
    const std::size_t letter = character < 0x80 ? kLetters.find(static_cast<char>(character)) : std::string_view::npos;
    if (letter != std::string_view::npos) {
      character = static_cast<unsigned char>(kMeant[letter]);
    } else if (character >= 0x80 || is_word_character(character)) {
      return std::nullopt;
    }
    out.ranges.emplace_back(character, character);
    return character;
  }

  static constexpr char32_t kClassItself = 0xFFFFFFFF;

  std::string_view rest_;
};

std::optional<CharacterPattern> CharacterPattern::parse(std::string_view regex) {
  if (regex.size() > kMaxRegexBytes) return std::nullopt;
  return Parser(regex).parse();
}

std::size_t CharacterPattern::items_end(std::string_view text, std::size_t pos, std::size_t first_item) const {
  std::size_t end = pos;
  for (std::size_t index = first_item; index < items_.size(); ++index) {
    const Item& item = items_[index];
    std::size_t taken = 0;
    while (end < text.size()) {
      const Decoded character = decode_utf8(text, end);
      if (!item.characters.contains(character.code_point)) break;
      end += character.size;
      ++taken;
      if (item.count != Count::kAtLeastOne) break;
    }
    if (taken == 0 && item.count != Count::kAtMostOne) return pos;
  }
  return end;
}

// What may be there once is left out where the rest does not match after it.
std::size_t CharacterPattern::match_end(std::string_view text, std::size_t pos) const {
  const std::size_t end = items_end(text, pos, 0);
  return end == pos && items_[0].count == Count::kAtMostOne ? items_end(text, pos, 1) : end;
}

std::size_t CharacterPattern::begin_of_last_run(std::string_view text, std::size_t pos) const {
  std::size_t begin = text.size();
  while (begin > pos) {
    std::size_t previous = begin - 1;
    while (previous > pos && (static_cast<unsigned char>(text[previous]) & 0xC0) == 0x80) --previous;
    if (!items_[0].characters.contains(decode_utf8(text, previous).code_point)) break;
    begin = previous;
  }
  return begin;
}

std::size_t CharacterPattern::end_of_piece(std::string_view text, std::size_t pos) const {
  if (at_end_) {
    const std::size_t begin = begin_of_last_run(text, pos);
    return begin > pos ? begin : text.size();
  }
  if (const std::size_t end = match_end(text, pos); end > pos) return end;
  while (pos < text.size() && match_end(text, pos) == pos) pos += decode_utf8(text, pos).size;
  return pos;
}

}  // namespace strata::text
