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

// Ids of the short words seen last, by their bytes. A direct-mapped table: a new word takes the place of an older one.
class WordCache {
 public:
  // Appends the word's ids to `out`, or returns false.
  bool lookup(std::string_view word, std::vector<std::int32_t>& out) const;
  void store(std::string_view word, const std::int32_t* ids, std::size_t count);

 private:
  static constexpr std::size_t kEntries = 1 << 14;
  static constexpr std::size_t kMaxBytes = 18;
  static constexpr std::size_t kMaxIds = 7;
  struct Entry {
    std::uint8_t bytes = 0;
    std::uint8_t count = 0;
    std::array<char, kMaxBytes> word{};
    std::array<std::int32_t, kMaxIds> ids{};
  };

  static std::size_t slot_of(std::string_view word);

  std::vector<Entry> entries_;  // empty until the first word is stored
};

// Byte-level byte pair encoding (Sennrich et al. 2016, over bytes as in GPT-2): of all adjacent pairs the one with the
// lowest rank is joined, the leftmost first, until none is left.
class BytePairEncoder {
 public:
  Vocabulary vocabulary;
  MergeTable merges;
  std::optional<std::int32_t> unknown_token;  // stands for bytes without a token; they are dropped where it is missing
  bool fuse_unknown = false;                  // one unknown token for a run of such bytes
  bool ignore_merges = false;                 // a word that is a token is that token, whatever the merges give

  // To be called once the vocabulary is complete.
  void index_bytes();

  // Appends the ids of one word. O(n log n) in its bytes, constant stack.
  void encode_word(std::string_view word, std::vector<std::int32_t>& out) const;

 private:
  std::vector<std::int32_t> initial_symbols(std::string_view word) const;

  std::array<std::int32_t, 256> byte_tokens_{};  // -1: the byte has no token
  bool covers_all_bytes_ = false;
};

}  // namespace strata::text
