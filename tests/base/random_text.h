// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iterator>
#include <random>
#include <string>

#include "base/utf8.h"

namespace strata {

// Characters of one to four bytes, many of them spaces, marks and line breaks.
inline std::string random_text(std::mt19937_64& random, std::size_t characters) {
  static constexpr char32_t kCommon[] = {U' ', U'\n', U'a', U'\'', U's', U'7', U'\0', 0xE9, 0x301, 0x4E2D, 0x1F642};
  std::string text;
  for (std::size_t i = 0; i < characters; ++i) {
    const std::uint64_t choice = random();
    const auto any = static_cast<char32_t>((choice >> 8) % 0x10FFFF);
    const bool is_surrogate = any >= 0xD800 && any <= 0xDFFF;
    append_utf8(text, choice % 3 == 0 && !is_surrogate ? any : kCommon[(choice >> 40) % std::size(kCommon)]);
  }
  return text;
}

}  // namespace strata
