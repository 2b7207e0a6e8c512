// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "import/gguf_metadata.h"

namespace strata::importer {

// What is said where a file's tokenizer can't be read.
inline constexpr std::string_view kNeedNoText = "compile, logits, bench and info need no text";

// A way of cutting words, by the name that "tokenizer.ggml.pre" has for it, and what goes with it in the tokenizer.json
// of those models.
struct GgufPreTokenizer {
  std::string_view name;
  std::span<const std::string_view> regexes;  // of Split steps
  bool splits_as_gpt2 = false;                // at last
  bool cuts_digits = false;                   // each is a word
  bool normalizes = false;                    // to NFC
  bool ignores_merges = false;                // a word that is a token is that token
  bool adds_bos = false;                      // where the file doesn't say
};

// Throws model_error for a name that is not known.
const GgufPreTokenizer& find_gguf_pre_tokenizer(const GgufMetadata& metadata);

// The pre_tokenizer of a tokenizer.json.
std::string gguf_pre_tokenizer_json(const GgufPreTokenizer& pre);

}  // namespace strata::importer
