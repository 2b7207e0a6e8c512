// SPDX-License-Identifier: Apache-2.0
#include "text/byte_tokens.h"

#include <algorithm>
#include <charconv>

namespace strata::text {

std::optional<unsigned char> byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  unsigned char byte = 0;
  const char* end = token.data() + 5;
  if (std::from_chars(token.data() + 3, end, byte, 16).ptr != end) return std::nullopt;
  return byte;
}

std::string token_of_byte(unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return std::string("<0x") + kDigits[byte >> 4] + kDigits[byte & 15] + ">";
}

ByteTokens::ByteTokens(const Vocabulary& vocabulary) {
  for (std::size_t byte = 0; byte < tokens_.size(); ++byte) {
    tokens_[byte] = vocabulary.find(token_of_byte(static_cast<unsigned char>(byte))).value_or(-1);
  }
}

bool ByteTokens::is_complete() const { return std::ranges::find(tokens_, -1) == tokens_.end(); }

bool ByteTokens::append(std::string_view bytes, std::vector<std::int32_t>& out) const {
  const std::size_t before = out.size();
  for (const char byte : bytes) {
    out.push_back(tokens_[static_cast<unsigned char>(byte)]);
    if (out.back() < 0) return out.resize(before), false;
  }
  return true;
}

}  // namespace strata::text
