// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/byte_tokens.h"
#include "text/vocabulary.h"
#include "text/word_encoder.h"

namespace strata::text {

// Byte pair encoding (Sennrich et al. 2016): a word begins as its bytes (as in GPT-2) or its characters (as in
// SentencePiece); of all adjacent pairs the one with the lowest rank is joined, the leftmost first, until none is left.
class BytePairEncoder : public WordEncoder {
 public:
  // The vocabulary must outlive the encoder.
  explicit BytePairEncoder(const Vocabulary& vocabulary) : vocabulary_(vocabulary) { direct_.fill(-1); }

  MergeTable merges;
  std::optional<std::int32_t> unknown_token;  // for what has no token; that is dropped where it is missing
  bool fuse_unknown = false;                  // one unknown token for a run of such
  bool ignore_merges = false;                 // a word that is a token is that token, whatever the merges give
  std::optional<ByteTokens> byte_fallback;    // for characters without a token, before unknown_token

  // What a word begins as: one of these, once the vocabulary is complete.
  void begin_with_bytes();
  void begin_with_characters();
  // The same for some characters only: those whose token `is_symbol`, by id.
  void begin_with_characters(const std::vector<bool>& is_symbol);

  // Whether words may be cut before each U+2581 that follows another character, without a difference to their tokens.
  bool may_cut_before_spaces() const;

  // O(n log n) in the word's bytes, constant stack.
  void encode_word(std::string_view word, std::vector<std::int32_t>& out) const override;

 private:
  std::int32_t token_of(char32_t character) const;
  void append_symbols(std::string_view word, std::vector<std::int32_t>& out) const;

  const Vocabulary& vocabulary_;
  bool has_byte_symbols_ = false;
  std::array<std::int32_t, 256> direct_{};                 // of bytes, or of ASCII characters; -1: it has no token
  std::unordered_map<char32_t, std::int32_t> characters_;  // beyond ASCII
};

}  // namespace strata::text
