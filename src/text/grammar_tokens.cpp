// SPDX-License-Identifier: Apache-2.0
#include "text/grammar_tokens.h"

#include <vector>

#include "text/decoder.h"

namespace strata::text {
namespace {

std::vector<std::string> all_texts(const Tokenizer& tokenizer, bool begins_text) {
  std::vector<std::string> texts;
  for (std::int32_t token = 0; token < tokenizer.vocab_size(); ++token) {
    texts.push_back(GrammarTokens::text(tokenizer, token, begins_text));
  }
  return texts;
}

}  // namespace

std::string GrammarTokens::text(const Tokenizer& tokenizer, std::int32_t token, bool begins_text) {
  if (tokenizer.is_special(token)) return "";
  std::string bytes = tokenizer.token_bytes(token, begins_text);
  if (!begins_text) return bytes;
  BeginStripper stripper = tokenizer.decoder().text_stripper();
  return std::string(stripper.strip(bytes));
}

GrammarTokens::GrammarTokens(const Tokenizer& tokenizer) : all_(all_texts(tokenizer, false)) {
  const std::vector<std::string> first = all_texts(tokenizer, true);
  for (std::int32_t token = 0; token < tokenizer.vocab_size(); ++token) {
    if (first[static_cast<std::size_t>(token)] == text(tokenizer, token, false)) continue;
    first_.emplace(first);
    return;
  }
}

const GrammarTokens& LazyGrammarTokens::get(const Tokenizer& tokenizer) {
  std::call_once(is_made_, [&] { tokens_ = std::make_unique<const GrammarTokens>(tokenizer); });
  return *tokens_;
}

}  // namespace strata::text
