// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/vocabulary.h"
#include "text/word_cache.h"
#include "text/word_encoder.h"

namespace strata::text {

// What a tokenizer.json says, ready for use.
struct TokenizerState {
  Vocabulary vocabulary;
  std::unique_ptr<WordEncoder> encoder;  // refers to the vocabulary
  Normalizer normalizer;
  AddedTokenMatcher raw_tokens;         // looked for before normalising
  AddedTokenMatcher normalized_tokens;  // looked for after it
  std::unordered_set<std::int32_t> special_ids;
  std::unordered_map<std::int32_t, std::string> normalized_spellings;  // of added tokens that normalising changes
  PreTokenizer pre_tokenizer;
  std::vector<std::int32_t> prefix, suffix;  // what the post-processor puts around a text
  Decoder decoder;

  mutable std::mutex cache_mutex;
  mutable WordCache cache;  // guarded by cache_mutex

  // What the decoder gets to see of a token; "" for an unknown id.
  std::string_view spelling(std::int32_t id) const {
    const auto normalized = normalized_spellings.find(id);
    if (normalized != normalized_spellings.end()) return normalized->second;
    return vocabulary.contains(id) ? vocabulary.token(id) : std::string_view();
  }
};

// Fills a state from the text of a tokenizer.json. Throws model_error.
std::unique_ptr<TokenizerState> read_tokenizer(std::string_view json, const std::string& origin);

}  // namespace strata::text
