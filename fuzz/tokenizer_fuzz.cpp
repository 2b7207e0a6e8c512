// SPDX-License-Identifier: Apache-2.0
// A tokenizer.json, a NUL byte, a text: whatever is accepted must encode and decode without harm, and a stream of
// tokens give valid text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/utf8.h"
#include "text/token_stream.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t split = input.find('\0');
  const std::string_view text = split == std::string_view::npos ? "a b" : input.substr(split + 1);
  try {
    const auto tokenizer = strata::text::Tokenizer::from_json(input.substr(0, split), "tokenizer.json");
    const auto ids = tokenizer.encode(text);
    for (const std::int32_t id : ids) {
      if (id < 0 || id >= tokenizer.vocab_size()) std::abort();
    }
    if (!strata::is_valid_utf8(tokenizer.decode(ids))) std::abort();
    strata::text::TokenStream stream(tokenizer, ids.size() % 2 == 0);
    for (const std::int32_t id : ids) {
      if (!strata::is_valid_utf8(stream.push(id))) std::abort();
    }
    if (!strata::is_valid_utf8(stream.finish())) std::abort();
    (void)tokenizer.encode(text, false, false);
  } catch (const strata::Error&) {
  }
  return 0;
}
