// SPDX-License-Identifier: Apache-2.0
#include "base/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <iterator>
#include <vector>

#include "base/utf8.h"

namespace strata {
namespace {

struct Range {
  char32_t first, last;
};

template <std::size_t N>
bool contains(const Range (&ranges)[N], char32_t code_point) {
  const auto* after = std::upper_bound(std::begin(ranges), std::end(ranges), code_point,
                                       [](char32_t value, const Range& range) { return value < range.first; });
  return after != std::begin(ranges) && code_point <= std::prev(after)->last;
}

// Letters and numbers that Unicode 15.1 and 16.0 added: the regular expression engine of Hugging Face's tokenizers
// knows them, utf8proc before 2.10 does not.
constexpr Range kRecentLetters[] = {{0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3},
                                    {0x10D4A, 0x10D65}, {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x11380, 0x11389},
                                    {0x1138B, 0x1138B}, {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113B7},
                                    {0x113D1, 0x113D1}, {0x113D3, 0x113D3}, {0x11BC0, 0x11BE0}, {0x13460, 0x143FA},
                                    {0x16100, 0x1611D}, {0x16D40, 0x16D6C}, {0x18CFF, 0x18CFF}, {0x1E5D0, 0x1E5ED},
                                    {0x1E5F0, 0x1E5F0}, {0x2EBF0, 0x2EE5D}};
constexpr Range kRecentNumbers[] = {{0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9}, {0x16130, 0x16139},
                                    {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9}, {0x1E5F1, 0x1E5FA}};

constexpr Range kRecentMarks[] = {{0x897, 0x897},     {0x10D69, 0x10D6D}, {0x10EFC, 0x10EFC}, {0x113B8, 0x113C0},
                                  {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113CA}, {0x113CC, 0x113D0},
                                  {0x113D2, 0x113D2}, {0x113E1, 0x113E2}, {0x11F5A, 0x11F5A}, {0x1611E, 0x1612F},
                                  {0x1E5EE, 0x1E5EF}};
constexpr Range kRecentPunctuation[] = {{0x1B4E, 0x1B4F},   {0x1B7F, 0x1B7F},   {0x10D6E, 0x10D6E}, {0x113D4, 0x113D5},
                                        {0x113D7, 0x113D8}, {0x11BE1, 0x11BE1}, {0x16D6D, 0x16D6F}, {0x1E5FF, 0x1E5FF}};
constexpr Range kRecentCapitals[] = {
    {0x1C89, 0x1C89}, {0xA7CB, 0xA7CC}, {0xA7DA, 0xA7DA}, {0xA7DC, 0xA7DC}, {0x10D50, 0x10D65}};
constexpr Range kRecentSmallLetters[] = {{0x1C8A, 0x1C8A}, {0xA7CD, 0xA7CD}, {0xA7DB, 0xA7DB}, {0x10D70, 0x10D85}};

// Characters younger than Unicode 9, the version of Hugging Face's normaliser: it neither reorders nor composes them,
// so models never saw them reordered or composed.
constexpr Range kInertInNfc[] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},
    {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},   {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},
    {0xA82C, 0xA82C},   {0x10D24, 0x10D27}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50},
    {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x11839, 0x1183A},
    {0x11930, 0x11930}, {0x11938, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0},
    {0x11A34, 0x11A34}, {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45},
    {0x11D97, 0x11D97}, {0x11F41, 0x11F42}, {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136},
    {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}};

// Characters of the same kind that stand for others.
constexpr Range kInertInNfkc[] = {{0x32FF, 0x32FF},   {0xA7F1, 0xA7F4},   {0xAB69, 0xAB69},   {0x10781, 0x10785},
                                  {0x10787, 0x107B0}, {0x107B2, 0x107BA}, {0x1CCD6, 0x1CCF9}, {0x1E030, 0x1E06D},
                                  {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9}};

// Capitals that Unicode 16 and 17 added, whose small letters follow at a distance.
struct Lowered {
  Range range;
  std::int32_t distance;
};
constexpr Lowered kRecentlyLowered[] = {{{0x1C89, 0x1C89}, 1},      {{0xA7CB, 0xA7CB}, 0x264 - 0xA7CB},
                                        {{0xA7CC, 0xA7CC}, 1},      {{0xA7CE, 0xA7CE}, 1},
                                        {{0xA7D2, 0xA7D2}, 1},      {{0xA7D4, 0xA7D4}, 1},
                                        {{0xA7DA, 0xA7DA}, 1},      {{0xA7DC, 0xA7DC}, 0x19B - 0xA7DC},
                                        {{0x10D50, 0x10D65}, 0x20}, {{0x16EA0, 0x16EB8}, 0x1B}};

utf8proc_category_t category(char32_t code_point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
}

bool is_regex_space(char32_t c) {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

CharClass classify(char32_t code_point) {
  if (is_regex_space(code_point)) return CharClass::kSpace;
  const utf8proc_category_t kind = category(code_point);
  if (kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO) return CharClass::kLetter;
  if (kind >= UTF8PROC_CATEGORY_ND && kind <= UTF8PROC_CATEGORY_NO) return CharClass::kNumber;
  if (contains(kRecentLetters, code_point)) return CharClass::kLetter;
  if (contains(kRecentNumbers, code_point)) return CharClass::kNumber;
  return CharClass::kOther;
}

using PlaneTable = std::array<CharClass, 0x10000>;

const PlaneTable& basic_plane() {
  static const PlaneTable table = [] {
    PlaneTable filled{};
    for (char32_t c = 0; c < filled.size(); ++c) filled[c] = classify(c);
    return filled;
  }();
  return table;
}

enum class Form { kNfc, kNfkc };

// How a character behaves under a normalization form. A stable one begins a segment that can be normalised on its own
// and stays itself when the next character is stable too; an inert one stays itself whatever stands beside it.
enum class Role { kStable, kInert, kUnstable };

Role role_in(Form form, char32_t c) {
  if (c < (form == Form::kNfc ? 0x300 : 0xA0)) return Role::kStable;
  if (c >= 0xAC00 && c <= 0xD7A3) return Role::kStable;
  if (c >= 0x1100 && c <= 0x11FF) return Role::kUnstable;
  if (c >= 0x7FD && contains(kInertInNfc, c)) return Role::kInert;
  if (form == Form::kNfkc && c >= 0x32FF && contains(kInertInNfkc, c)) return Role::kStable;
  const utf8proc_property_t* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
  const bool is_mark = property->category >= UTF8PROC_CATEGORY_MN && property->category <= UTF8PROC_CATEGORY_ME;
  const bool decomposes =
      property->decomp_seqindex != UINT16_MAX && (form == Form::kNfkc || property->decomp_type == 0);
  return is_mark || decomposes || property->combining_class != 0 ? Role::kUnstable : Role::kStable;
}

int combining_class(utf8proc_int32_t code_point) { return utf8proc_get_property(code_point)->combining_class; }

// Sorts a run of marks by combining class; marks of one class keep their order.
void sort_marks(std::vector<utf8proc_int32_t>::iterator begin, std::vector<utf8proc_int32_t>::iterator end) {
  struct Mark {
    int combining_class;
    std::ptrdiff_t position;
    utf8proc_int32_t code_point;
    auto operator<=>(const Mark&) const = default;
  };
  std::vector<Mark> marks;
  for (auto it = begin; it != end; ++it) marks.push_back({combining_class(*it), it - begin, *it});
  std::sort(marks.begin(), marks.end());
  for (const Mark& mark : marks) *begin++ = mark.code_point;
}

// utf8proc_decompose bubbles marks into order, which is quadratic on a long run of them; sorting is not.
void order_marks(std::vector<utf8proc_int32_t>& code_points) {
  auto begin = code_points.begin();
  while (begin != code_points.end()) {
    if (combining_class(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, code_points.end(), [](auto c) { return combining_class(c) == 0; });
    sort_marks(begin, end);
    begin = end;
  }
}

// The characters that a segment decomposes into. Those that are stable though they stand for others stay.
std::vector<utf8proc_int32_t> decomposed(Form form, std::string_view segment) {
  const int compatible = form == Form::kNfkc ? UTF8PROC_COMPAT : 0;
  std::vector<utf8proc_int32_t> code_points;
  for (std::size_t pos = 0; pos < segment.size();) {
    const Decoded character = decode_utf8(segment, pos);
    pos += character.size;
    if (form == Form::kNfkc && contains(kInertInNfkc, character.code_point)) {
      code_points.push_back(static_cast<utf8proc_int32_t>(character.code_point));
      continue;
    }
    std::array<utf8proc_int32_t, 32> expansion;  // the longest has 18 characters
    int boundary_class = 0;
    const auto count = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(character.code_point), expansion.data(),
        static_cast<utf8proc_ssize_t>(expansion.size()),
        static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE | compatible), &boundary_class);
    code_points.insert(code_points.end(), expansion.begin(), expansion.begin() + count);
  }
  return code_points;
}

void append_normalized(Form form, std::string_view segment, std::string& out) {
  std::vector<utf8proc_int32_t> code_points = decomposed(form, segment);
  order_marks(code_points);
  const auto count = utf8proc_normalize_utf32(code_points.data(), static_cast<utf8proc_ssize_t>(code_points.size()),
                                              static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  for (utf8proc_ssize_t i = 0; i < count; ++i) append_utf8(out, static_cast<char32_t>(code_points[i]));
}

std::string_view normalize(Form form, std::string_view text, std::string& storage) {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  storage.clear();
  std::size_t copied = 0;               // text[0, copied) is in storage, normalised
  std::size_t previous_stable = kNone;  // where a segment has to begin if the next character is unstable
  for (std::size_t pos = 0; pos < text.size();) {
    if (static_cast<unsigned char>(text[pos]) < 0x80) {
      previous_stable = pos++;
      continue;
    }
    const Decoded character = decode_utf8(text, pos);
    const Role role = role_in(form, character.code_point);
    if (role != Role::kUnstable) {
      previous_stable = role == Role::kStable ? pos : kNone;
      pos += character.size;
      continue;
    }
    const std::size_t begin = previous_stable == kNone ? pos : previous_stable;
    std::size_t end = pos + character.size;
    while (end < text.size()) {
      const Decoded next = decode_utf8(text, end);
      if (role_in(form, next.code_point) != Role::kUnstable) break;
      end += next.size;
    }
    storage.append(text, copied, begin - copied);
    append_normalized(form, text.substr(begin, end - begin), storage);
    copied = pos = end;
    previous_stable = kNone;
  }
  if (copied == 0) return text;
  storage.append(text, copied);
  return storage;
}

}  // namespace

CharClass char_class(char32_t code_point) {
  if (code_point < 0x10000) return basic_plane()[code_point];
  return classify(code_point);
}

bool is_mark(char32_t code_point) {
  const utf8proc_category_t kind = category(code_point);
  return (kind >= UTF8PROC_CATEGORY_MN && kind <= UTF8PROC_CATEGORY_ME) || contains(kRecentMarks, code_point);
}

bool is_punctuation(char32_t code_point) {
  const utf8proc_category_t kind = category(code_point);
  return (kind >= UTF8PROC_CATEGORY_PC && kind <= UTF8PROC_CATEGORY_PO) || contains(kRecentPunctuation, code_point);
}

LetterSide letter_side(char32_t code_point) {
  const utf8proc_category_t kind = category(code_point);
  if (kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LT) return LetterSide::kCapital;
  if (kind == UTF8PROC_CATEGORY_LL) return LetterSide::kSmall;
  if (code_point < 0x80) return LetterSide::kNone;
  if (contains(kRecentCapitals, code_point)) return LetterSide::kCapital;
  if (contains(kRecentSmallLetters, code_point)) return LetterSide::kSmall;
  const bool is_either = char_class(code_point) == CharClass::kLetter || is_mark(code_point);
  return is_either ? LetterSide::kEither : LetterSide::kNone;
}

bool is_word_character(char32_t code_point) {
  if (code_point == 0x200C || code_point == 0x200D) return true;
  switch (category(code_point)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return char_class(code_point) == CharClass::kLetter || (code_point >= 0x24B6 && code_point <= 0x24E9);
  }
}

bool is_python_space(char32_t code_point) {
  return (code_point >= 0x1C && code_point <= 0x1F) || is_regex_space(code_point);
}

bool is_printable(char32_t code_point) {
  if (code_point == ' ') return true;
  switch (category(code_point)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

char32_t to_upper(char32_t code_point) {
  return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(code_point)));
}

char32_t to_lower(char32_t code_point) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point)));
}

char32_t to_title(char32_t code_point) {
  return static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(code_point)));
}

bool has_case(char32_t code_point) {
  const utf8proc_category_t kind = category(code_point);
  return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT;
}

std::string_view normalize_nfc(std::string_view text, std::string& storage) {
  return normalize(Form::kNfc, text, storage);
}

std::string_view normalize_nfkc(std::string_view text, std::string& storage) {
  return normalize(Form::kNfkc, text, storage);
}

void append_lowercase(std::string& out, char32_t code_point) {
  if (code_point == 0x130) return void(out += "i\xCC\x87");
  for (const auto& [range, distance] : kRecentlyLowered) {
    if (code_point < range.first || code_point > range.last) continue;
    return append_utf8(out, static_cast<char32_t>(static_cast<std::int32_t>(code_point) + distance));
  }
  append_utf8(out, to_lower(code_point));
}

}  // namespace strata
