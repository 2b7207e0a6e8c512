// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "text/decoder.h"
#include "text/tokenizer.h"
#include "text/utf8_stream.h"

namespace strata::text {

// The text of tokens as they come: what comes out in total is what Tokenizer::decode makes of all of them, but where
// bytes form no character: those are U+FFFD as Utf8Stream has it.
class TokenStream {
 public:
  // `continues`: the tokens go on with a text, so that a space at their beginning is one. The tokenizer must outlive
  // the stream.
  TokenStream(const Tokenizer& tokenizer, bool continues)
      : tokenizer_(tokenizer), stripper_(tokenizer.decoder().text_stripper()), continues_(continues) {}

  // The characters that are complete with this token.
  std::string push(std::int32_t token);

  // The end: U+FFFD for an unfinished character.
  std::string finish();

 private:
  std::string shown(const std::string& text);

  const Tokenizer& tokenizer_;
  Utf8Stream characters_;
  BeginStripper stripper_;
  bool continues_;
  bool is_first_ = true;
};

}  // namespace strata::text
