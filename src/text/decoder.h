// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace strata::text {

// Takes characters away from the beginning of a text that comes in parts.
class BeginStripper {
 public:
  // First up to so many of this character, then of the next one that is added.
  void add(std::string character, std::size_t count) { strips_.emplace_back(std::move(character), count); }

  // What is left of the next part, which is whole characters.
  std::string_view strip(std::string_view part);

 private:
  std::vector<std::pair<std::string, std::size_t>> strips_;
  std::size_t done_ = 0;  // so many of them
};

// How tokens become text: the decoder of a tokenizer.json. As in Hugging Face's library each step works on the list of
// tokens that the one before left.
class Decoder {
 public:
  // The byte-level alphabet (byte_level.h); alone.
  struct ByteLevel {};
  struct Replace {
    std::string from, to;
  };
  // Tokens such as "<0x0A>" are bytes.
  struct ByteFallback {};
  // The symbol is a space or, in the first token where `drops_first`, nothing.
  struct Metaspace {
    std::string symbol;
    bool drops_first;
  };
  // Takes up to `count` of a character away from the beginning of each token.
  struct Strip {
    std::string character;
    std::size_t count;
  };
  using Step = std::variant<ByteLevel, Replace, ByteFallback, Metaspace, Strip>;

  void add(Step step) { steps_.push_back(std::move(step)); }
  // After all steps, of the whole text.
  void strip_text(const Strip& strip) { of_text_.add(strip.character, strip.count); }

  // The text of these tokens, always valid UTF-8. A run of bytes from ByteFallback that forms no characters is U+FFFD
  // for each byte.
  std::string decode(std::vector<std::string> tokens) const;

  // The bytes of one token, which may be a part of a character. `is_first`: no token was before it.
  std::string bytes_of(std::string_view token, bool is_first) const;

  // For the beginning of a text that is put together from bytes_of().
  BeginStripper text_stripper() const { return of_text_; }

 private:
  std::vector<Step> steps_;
  BeginStripper of_text_;
};

}  // namespace strata::text
