// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "grammar/token_bytes.h"
#include "text/tokenizer.h"

namespace strata::text {

// A tokenizer's tokens as a grammar sees them: by the text that is shown of them. Special tokens have none.
class GrammarTokens {
 public:
  explicit GrammarTokens(const Tokenizer& tokenizer);

  // At the beginning of a text of its own a token may stand for less than inside.
  const grammar::TokenBytes& bytes(bool begins_text) const { return begins_text && first_ ? *first_ : all_; }

  // Of one token.
  static std::string text(const Tokenizer& tokenizer, std::int32_t token, bool begins_text);

 private:
  grammar::TokenBytes all_;
  std::optional<grammar::TokenBytes> first_;  // where any differs
};

// Made when it is first asked for, from whatever thread: it takes a moment, and most texts have no grammar.
class LazyGrammarTokens {
 public:
  const GrammarTokens& get(const Tokenizer& tokenizer);

 private:
  std::once_flag is_made_;
  std::unique_ptr<const GrammarTokens> tokens_;
};

}  // namespace strata::text
