// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace strata::text {

// GPT-2's bijection between bytes and printable characters, in which byte-level vocabularies are spelt: a byte that is
// printable in Latin-1 stands for itself, the others for U+0100 and up in order.
char32_t character_of_byte(unsigned char byte);

// -1 for a character that stands for no byte.
int byte_of_character(char32_t character);

// The token's spelling of raw bytes.
std::string spell_bytes(std::string_view bytes);

// The bytes a token stands for. A token with any character that stands for no byte stands for itself, as Hugging
// Face's ByteLevel decoder has it.
std::string bytes_of_spelling(std::string_view token);

}  // namespace strata::text
