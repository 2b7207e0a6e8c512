// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "text/byte_tokens.h"
#include "text/token_trie.h"
#include "text/vocabulary.h"
#include "text/word_encoder.h"

namespace strata::text {

// The unigram model (Kudo 2018): of all ways to cut a word into tokens the one whose scores have the largest sum, found
// by Viterbi's algorithm as Hugging Face's library does it. A character without a token costs a constant more than any
// token; a run of such is one unknown token, or the tokens of its bytes.
class UnigramEncoder : public WordEncoder {
 public:
  // A trie's walk is as long as the longest token; the file reader refuses longer ones, so that encoding stays linear.
  static constexpr std::size_t kMaxTokenBytes = 1024;

  // scores: by id, finite; holes count nothing. The vocabulary must outlive the encoder and contain `unknown_token`.
  UnigramEncoder(const Vocabulary& vocabulary, std::vector<double> scores, std::int32_t unknown_token,
                 std::optional<ByteTokens> byte_fallback);

  void encode_word(std::string_view word, std::vector<std::int32_t>& out) const override;

 private:
  // The best way to a place of the word.
  struct Step {
    double score = 0;
    std::uint32_t begin = 0;  // of its last token
    std::int32_t token = -1;  // -1: none ends here
  };

  std::vector<Step> best_steps(std::string_view word) const;
  void append_unknown(std::string_view run, std::vector<std::int32_t>& out) const;

  const Vocabulary& vocabulary_;
  std::vector<double> scores_;
  std::int32_t unknown_token_;
  double unknown_score_;
  std::optional<ByteTokens> byte_fallback_;
  TokenTrie trie_;
};

}  // namespace strata::text
