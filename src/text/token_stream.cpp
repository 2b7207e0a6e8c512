// SPDX-License-Identifier: Apache-2.0
#include "text/token_stream.h"

#include <utility>

namespace strata::text {

std::string TokenStream::push(std::int32_t token) {
  const bool begins_text = std::exchange(is_first_, false) && !continues_;
  return shown(characters_.push(tokenizer_.token_bytes(token, begins_text)));
}

std::string TokenStream::finish() { return shown(characters_.finish()); }

std::string TokenStream::shown(const std::string& text) {
  return continues_ ? text : std::string(stripper_.strip(text));
}

}  // namespace strata::text
