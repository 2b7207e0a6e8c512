// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace strata {

inline constexpr char32_t kReplacement = 0xFFFD;

// One character as it stands in a byte string. An ill-formed sequence is U+FFFD with the size of its maximal subpart
// (Unicode, section 3.9), which is how Python's errors="replace" and Rust's from_utf8_lossy count.
struct Decoded {
  char32_t code_point = kReplacement;
  std::uint32_t size = 1;  // bytes, at least 1
  bool valid = false;
  bool truncated = false;  // the bytes end inside a sequence that was well-formed so far
};

// Requires pos < text.size().
Decoded decode_utf8(std::string_view text, std::size_t pos);

void append_utf8(std::string& out, char32_t code_point);

bool is_valid_utf8(std::string_view text);

// The text with every ill-formed sequence replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

// Characters, not bytes. Requires valid UTF-8.
std::size_t count_code_points(std::string_view text);

}  // namespace strata
