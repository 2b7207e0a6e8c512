// SPDX-License-Identifier: Apache-2.0
#include "machine/target_words.h"

#include <algorithm>
#include <array>

namespace strata::machine {
namespace {

constexpr std::size_t kMaxWord = 64;

constexpr std::array<std::string_view, 7> kFlagsWithWord = {
    "-march=", "-mcpu=", "-mtune=", "-mabi=", "-mprefer-vector-width=", "-msve-vector-bits=", "-mrvv-vector-bits="};

// Scalar code where no vector is asked for.
constexpr std::array<std::string_view, 2> kWholeFlags = {"-fno-vectorize", "-fno-slp-vectorize"};

// How the names of x86 extensions begin.
constexpr std::array<std::string_view, 16> kExtensions = {"sse",  "ssse",       "avx", "amx-",  "fma",    "bmi",
                                                          "f16c", "lzcnt",      "abm", "movbe", "popcnt", "gfni",
                                                          "vaes", "vpclmulqdq", "aes", "pclmul"};

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_word_character(char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '+' || c == '-'; }

}  // namespace

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kMaxWord && is_letter_or_digit(text[0]) &&
         std::ranges::all_of(text, is_word_character);
}

bool is_plain_text(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_triple(std::string_view text) {
  const auto is_allowed = [](char c) {
    return (is_letter_or_digit(c) && (c < 'A' || c > 'Z')) || c == '_' || c == '-';
  };
  return is_word(text) && std::ranges::all_of(text, is_allowed) && std::ranges::count(text, '-') >= 1 &&
         !text.ends_with('-');
}

bool is_target_flag(std::string_view flag) {
  if (std::ranges::find(kWholeFlags, flag) != kWholeFlags.end()) return true;
  for (const std::string_view form : kFlagsWithWord) {
    if (flag.starts_with(form)) return is_word(flag.substr(form.size()));
  }
  for (const std::string_view prefix : {std::string_view("-mno-"), std::string_view("-m")}) {
    if (!flag.starts_with(prefix)) continue;
    const std::string_view name = flag.substr(prefix.size());
    const auto begins = [&](std::string_view extension) { return name.starts_with(extension); };
    return is_word(name) && std::ranges::any_of(kExtensions, begins);
  }
  return false;
}

}  // namespace strata::machine
