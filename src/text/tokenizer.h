// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata::text {

class Decoder;
struct TokenizerState;

// The tokenizer of a Hugging Face model, read from tokenizer.json: BPE of bytes or characters, or a unigram model.
// Gives the same ids as their `tokenizers` library. Immutable; all methods may be called from several threads.
class Tokenizer {
 public:
  // `json` is the content of a tokenizer.json, `origin` its path, for messages. Throws model_error for a file that is
  // malformed or asks for something unsupported; the message names it and lists what is supported.
  static Tokenizer from_json(std::string_view json, const std::string& origin);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Ill-formed UTF-8 counts as U+FFFD; NUL bytes are characters like others. Near-linear in the text, constant stack.
  //   parse_special  special tokens written out in the text become those tokens (text of an untrusted origin: false);
  //   add_special    puts the tokens around the text that the file's post_processor asks for, e.g. Llama 3's
  //                  <|begin_of_text|>. Rendered chat templates bring theirs along and are encoded without.
  std::vector<std::int32_t> encode(std::string_view text, bool parse_special = true, bool add_special = true) const;

  // Always valid UTF-8: bytes that form no character become U+FFFD. Unknown ids give nothing.
  std::string decode(std::span<const std::int32_t> ids, bool skip_special = false) const;

  // The raw bytes of one token, which may be a part of a character; "" for an unknown id. At the beginning of a text a
  // token may stand for less.
  std::string token_bytes(std::int32_t id, bool begins_text = false) const;

  const Decoder& decoder() const;

  bool is_special(std::int32_t id) const;

  // By the token's spelling in the file.
  std::optional<std::int32_t> id_of(std::string_view token) const;

  std::int64_t vocab_size() const;  // largest id + 1

 private:
  explicit Tokenizer(std::unique_ptr<TokenizerState> state);

  std::unique_ptr<TokenizerState> state_;
};

}  // namespace strata::text
