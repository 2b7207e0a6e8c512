// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"

// The components of a tokenizer.json that are steps over a text. Each is read from its section, which may be null;
// `origin` is the file's path. Throw model_error for what is malformed or not supported.
namespace strata::text {

Normalizer read_normalizer(const nlohmann::json& section, const std::string& origin);

// is_byte_level: words are to be spelt as byte_level.h says.
struct PreTokenizerSection {
  PreTokenizer steps;
  bool is_byte_level = false;
};
PreTokenizerSection read_pre_tokenizer(const nlohmann::json& section, const std::string& origin);

// is_byte_level: whether tokens have to be spelt so.
Decoder read_decoder(const nlohmann::json& section, const std::string& origin, bool is_byte_level);

}  // namespace strata::text
