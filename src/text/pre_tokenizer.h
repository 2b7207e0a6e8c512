// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strata::text {

// The ways of cutting a text into words that Strata knows, one scanner each. Each covers the whole text: every
// character belongs to exactly one word.
enum class SplitPattern {
  kQwen2,     // one digit per word; Qwen2, Qwen2.5, Qwen3
  kLlama3,    // up to three digits per word; Llama 3, GPT-4's cl100k
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

// The steps of a tokenizer.json's pre_tokenizer: each is applied to every piece the one before left.
class PreTokenizer {
 public:
  void add_split(SplitPattern pattern) { steps_.push_back({false, pattern}); }
  // Puts a space before a piece that does not begin with one.
  void add_prefix_space() { steps_.push_back({true, SplitPattern::kGpt2}); }
  std::size_t size() const { return steps_.size(); }

  // Calls word(std::string_view) for each word of `text`, in order.
  template <typename F>
  void run(std::string_view text, F&& word) const {
    apply(0, text, word);
  }

 private:
  struct Step {
    bool adds_space;
    SplitPattern pattern;
  };

  template <typename F>
  void apply(std::size_t step, std::string_view text, F& word) const {
    if (text.empty()) return;
    if (step == steps_.size()) return word(text);
    if (steps_[step].adds_space) {
      if (text.front() == ' ') return apply(step + 1, text, word);
      return apply(step + 1, " " + std::string(text), word);
    }
    for (std::size_t pos = 0; pos < text.size();) {
      const std::size_t end = next_word(steps_[step].pattern, text, pos);
      apply(step + 1, text.substr(pos, end - pos), word);
      pos = end;
    }
  }

  std::vector<Step> steps_;
};

}  // namespace strata::text
