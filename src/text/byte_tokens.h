// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"

namespace strata::text {

// The byte that a token such as "<0x0A>" stands for.
std::optional<unsigned char> byte_of_token(std::string_view token);

// How a byte's token is spelt: "<0x0A>".
std::string token_of_byte(unsigned char byte);

// The tokens "<0x00>" to "<0xFF>" of a vocabulary, which stand for what it has no other token for ("byte fallback").
class ByteTokens {
 public:
  ByteTokens() { tokens_.fill(-1); }
  explicit ByteTokens(const Vocabulary& vocabulary);

  bool is_complete() const;

  // Appends the tokens of these bytes; false, and nothing, where one of them has none.
  bool append(std::string_view bytes, std::vector<std::int32_t>& out) const;

 private:
  std::array<std::int32_t, 256> tokens_{};  // -1: there is none
};

}  // namespace strata::text
