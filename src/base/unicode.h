// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strata {

// What the regular expressions of pre-tokenisers tell apart: \p{L}, \p{N}, \s and all the rest.
enum class CharClass : std::uint8_t { kOther, kLetter, kNumber, kSpace };

CharClass char_class(char32_t code_point);

// \p{M} and \p{P} of a regular expression.
bool is_mark(char32_t code_point);
bool is_punctuation(char32_t code_point);

// Which side a letter or mark is on where a regular expression tells capitals from small letters: \p{Lu} and \p{Lt},
// \p{Ll}, or either: \p{Lm}, \p{Lo} and \p{M}. Others: none.
enum class LetterSide : std::uint8_t { kNone, kCapital, kSmall, kEither };
LetterSide letter_side(char32_t code_point);

// \w of a regular expression: letters, marks, decimal digits, connector punctuation, joiners.
bool is_word_character(char32_t code_point);

// str.isspace() and \s of Python's re, which also count the separators U+001C to U+001F.
bool is_python_space(char32_t code_point);

// str.isprintable() of Python for one character.
bool is_printable(char32_t code_point);

char32_t to_upper(char32_t code_point);
char32_t to_lower(char32_t code_point);
char32_t to_title(char32_t code_point);
bool has_case(char32_t code_point);

// Normalization Form C of valid UTF-8, as Hugging Face's normaliser computes it. Returns `text` itself where nothing
// changes, else a view of `storage`. Linear in the text but for sorting within one run of combining marks.
std::string_view normalize_nfc(std::string_view text, std::string& storage);

// The same of Normalization Form KC, which also replaces characters that stand for others.
std::string_view normalize_nfkc(std::string_view text, std::string& storage);

// Appends the character in lower case, which may be two, as Hugging Face's normaliser has it.
void append_lowercase(std::string& out, char32_t code_point);

}  // namespace strata
