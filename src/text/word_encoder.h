// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace strata::text {

// The model of a tokenizer: makes tokens of a word, which is what the pre-tokenizer leaves in one piece.
class WordEncoder {
 public:
  WordEncoder() = default;
  WordEncoder(const WordEncoder&) = delete;
  WordEncoder& operator=(const WordEncoder&) = delete;
  virtual ~WordEncoder() = default;

  // Appends the ids of one word of valid UTF-8. Several threads may encode at a time.
  virtual void encode_word(std::string_view word, std::vector<std::int32_t>& out) const = 0;
};

}  // namespace strata::text
