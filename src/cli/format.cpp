// SPDX-License-Identifier: Apache-2.0
#include "cli/format.h"

#include <algorithm>
#include <cstdio>

namespace strata::cli {

std::string format_bytes(std::int64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  int unit = 0;
  for (; value >= 1024 && unit < 5; ++unit) value /= 1024;
  return format_fixed(value, 2) + " " + kUnits[unit];
}

std::string format_microseconds(double seconds) {
  double value = seconds * 1e6;
  return format_fixed(value, value < 1 ? 3 : value < 100 ? 2 : 1);
}

std::string format_fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string format_milliseconds(double seconds) { return format_fixed(seconds * 1e3, 3) + " ms"; }

std::size_t display_width(const std::string& text) {
  auto is_character = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_character));
}

std::string escape_controls(std::string_view text) {
  constexpr const char* kDigits = "0123456789abcdef";
  const auto escaped = [&](unsigned char byte) { return std::string("\\x") + kDigits[byte / 16] + kDigits[byte % 16]; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if (byte < 0x20 || byte == 0x7f) {
      out += escaped(byte);
    } else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {  // C1 in UTF-8
      out += escaped(next);
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace strata::cli
