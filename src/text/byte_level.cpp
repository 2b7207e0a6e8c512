// SPDX-License-Identifier: Apache-2.0
#include "text/byte_level.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/utf8.h"

namespace strata::text {
namespace {

struct ByteAlphabet {
  std::array<char32_t, 256> character{};
  std::array<std::int16_t, 0x200> byte{};

  ByteAlphabet() {
    byte.fill(-1);
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      character[b] = printable ? static_cast<char32_t>(b) : next++;
      byte[character[b]] = static_cast<std::int16_t>(b);
    }
  }
};

const ByteAlphabet& alphabet() {
  static const ByteAlphabet instance;
  return instance;
}

}  // namespace

char32_t character_of_byte(unsigned char byte) { return alphabet().character[byte]; }

int byte_of_character(char32_t character) {
  return character < alphabet().byte.size() ? alphabet().byte[character] : -1;
}

std::string spell_bytes(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char byte : bytes) append_utf8(out, character_of_byte(static_cast<unsigned char>(byte)));
  return out;
}

std::string bytes_of_spelling(std::string_view token) {
  std::string out;
  out.reserve(token.size());
  for (std::size_t pos = 0; pos < token.size();) {
    const Decoded character = decode_utf8(token, pos);
    const int byte = character.valid ? byte_of_character(character.code_point) : -1;
    if (byte < 0) return std::string(token);
    out.push_back(static_cast<char>(byte));
    pos += character.size;
  }
  return out;
}

}  // namespace strata::text
