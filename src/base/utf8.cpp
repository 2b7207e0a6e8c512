// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <cstring>

namespace strata {
namespace {

struct Lead {
  std::uint32_t continuation_bytes;
  unsigned char second_min, second_max;
  unsigned char payload_mask;
};

// The well-formed sequences of Unicode's table 3-7, by lead byte; continuation_bytes 0 marks a byte that leads nothing.
Lead classify_lead(unsigned char byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {1, 0x80, 0xBF, 0x1F};
  if (byte == 0xE0) return {2, 0xA0, 0xBF, 0x0F};
  if (byte == 0xED) return {2, 0x80, 0x9F, 0x0F};
  if (byte >= 0xE1 && byte <= 0xEF) return {2, 0x80, 0xBF, 0x0F};
  if (byte == 0xF0) return {3, 0x90, 0xBF, 0x07};
  if (byte >= 0xF1 && byte <= 0xF3) return {3, 0x80, 0xBF, 0x07};
  if (byte == 0xF4) return {3, 0x80, 0x8F, 0x07};
  return {0, 0, 0, 0};
}

bool is_ascii_block(const char* p) {
  std::uint64_t block;
  std::memcpy(&block, p, sizeof block);
  return (block & 0x8080808080808080ULL) == 0;
}

}  // namespace

Decoded decode_utf8(std::string_view text, std::size_t pos) {
  const auto first = static_cast<unsigned char>(text[pos]);
  if (first < 0x80) return {first, 1, true, false};
  const Lead lead = classify_lead(first);
  if (lead.continuation_bytes == 0) return {};
  char32_t code_point = first & lead.payload_mask;
  std::uint32_t size = 1;
  for (; size <= lead.continuation_bytes; ++size) {
    if (pos + size >= text.size()) return {kReplacement, size, false, true};
    const auto byte = static_cast<unsigned char>(text[pos + size]);
    const unsigned char low = size == 1 ? lead.second_min : 0x80;
    const unsigned char high = size == 1 ? lead.second_max : 0xBF;
    if (byte < low || byte > high) return {kReplacement, size, false, false};
    code_point = (code_point << 6) | (byte & 0x3F);
  }
  return {code_point, size, true, false};
}

void append_utf8(std::string& out, char32_t code_point) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3F));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

bool is_valid_utf8(std::string_view text) {
  std::size_t pos = 0;
  while (pos < text.size()) {
    if (pos + 8 <= text.size() && is_ascii_block(text.data() + pos)) {
      pos += 8;
      continue;
    }
    const Decoded character = decode_utf8(text, pos);
    if (!character.valid) return false;
    pos += character.size;
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t pos = 0; pos < text.size();) {
    const Decoded character = decode_utf8(text, pos);
    if (character.valid) {
      out.append(text, pos, character.size);
    } else {
      append_utf8(out, kReplacement);
    }
    pos += character.size;
  }
  return out;
}

std::size_t count_code_points(std::string_view text) {
  std::size_t count = 0;
  for (const char byte : text) count += (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
  return count;
}

}  // namespace strata
