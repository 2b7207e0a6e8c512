// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "text/tokenizer_json.h"
#include "text/tokenizer_state.h"

namespace strata::text {

// Fills a state's vocabulary and encoder from a tokenizer.json's model: "BPE", "Unigram", or "ScoredBPE", which is what
// SentencePiece calls BPE: no list of merges, but of two tokens side by side those are joined whose text together is
// the token with the highest score. Of that one Hugging Face's library knows nothing; GGUF files are read as such.
// May add steps to the pre-tokenizer, which must be there. `is_byte_level`: words are spelt as byte_level.h says.
// Throws model_error.
void read_model(const TokenizerJson& file, const std::string& origin, bool is_byte_level, TokenizerState& state);

}  // namespace strata::text
