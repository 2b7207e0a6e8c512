// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "text/character_pattern.h"

namespace strata::text {

// The ways of cutting a text into words that Strata knows, one scanner each. Each covers the whole text: every
// character belongs to exactly one word.
enum class SplitPattern {
  kQwen2,     // one digit per word; Qwen2, Qwen2.5, Qwen3
  kLlama3,    // up to three digits per word; Llama 3, GPT-4's cl100k
  kQwen35,    // marks count as letters; Qwen3.5
  kTekken,    // a word ends before a capital; Mistral's Tekken
  kGpt4o,     // the same with contractions at the end of words and three digits; GPT-4o's o200k
  kGpt2,      // GPT-2's, which is also that of ByteLevel with use_regex
  kDigit,     // Digits with individual_digits
  kDigitRun,  // Digits without it
};

// The pattern whose regular expression is exactly this one.
std::optional<SplitPattern> find_split_pattern(std::string_view regex);

// The names of the patterns that find_split_pattern knows, for messages.
std::string supported_split_patterns();

// End of the word that begins at `pos`. Requires valid UTF-8 and pos < text.size(). Constant stack; over a whole text
// the work is linear.
std::size_t next_word(SplitPattern pattern, std::string_view text, std::size_t pos);

// SentencePiece's way: spaces become a symbol, and a text gets one in front that doesn't begin with it.
struct MetaspaceStep {
  enum class Prepend { kNever, kToTextBegin, kAlways };

  std::string symbol;
  Prepend prepend = Prepend::kAlways;
  bool splits = true;  // before each symbol
};

// Cuts at each occurrence of a string, which is not empty.
struct LiteralSplit {
  std::string text;
  bool before = false, after = false;
};

// Cuts before each U+2581 that follows another character.
struct SpaceSymbolSplit {};

// Puts a space before a piece that does not begin with one.
struct PrefixSpaceStep {};

// The steps of a tokenizer.json's pre_tokenizer: each is applied to every piece the one before left.
class PreTokenizer {
 public:
  using Step =
      std::variant<SplitPattern, CharacterPattern, MetaspaceStep, LiteralSplit, SpaceSymbolSplit, PrefixSpaceStep>;

  void add(Step step) { steps_.push_back(std::move(step)); }
  std::size_t size() const { return steps_.size(); }

  // Calls word(std::string_view) for each word of `text`, in order. `begins`: nothing is before it.
  template <typename F>
  void run(std::string_view text, bool begins, F&& word) const {
    apply(0, text, begins, word);
  }

 private:
  template <typename F>
  void apply(std::size_t index, std::string_view text, bool begins, F& word) const {
    if (text.empty()) return;
    if (index == steps_.size()) return word(text);
    const Step& step = steps_[index];
    std::string storage;
    text = prepared(step, text, begins, storage);
    for (std::size_t pos = 0; pos < text.size();) {
      const std::size_t end = end_of_piece(step, text, pos);
      apply(index + 1, text.substr(pos, end - pos), begins && pos == 0, word);
      pos = end;
    }
  }

  // The text as the step changes it before it cuts: itself, or a view of `storage`.
  static std::string_view prepared(const Step& step, std::string_view text, bool begins, std::string& storage);
  static std::size_t end_of_piece(const Step& step, std::string_view text, std::size_t pos);

  std::vector<Step> steps_;
};

}  // namespace strata::text
