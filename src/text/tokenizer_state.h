// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/pre_tokenizer.h"

namespace strata::text {

// What a tokenizer.json says, ready for use.
struct TokenizerState {
  BytePairEncoder encoder;
  bool normalizes = false;              // to NFC, the one normaliser supported
  AddedTokenMatcher raw_tokens;         // looked for before normalising
  AddedTokenMatcher normalized_tokens;  // looked for after it
  std::unordered_set<std::int32_t> special_ids;
  PreTokenizer pre_tokenizer;
  std::vector<std::int32_t> prefix, suffix;  // what the post-processor puts around a text

  mutable std::mutex cache_mutex;
  mutable WordCache cache;  // guarded by cache_mutex
};

// Fills a state from the text of a tokenizer.json. Throws model_error.
std::unique_ptr<TokenizerState> read_tokenizer(std::string_view json, const std::string& origin);

}  // namespace strata::text
