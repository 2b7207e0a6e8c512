// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace strata::text {

// The text with each occurrence of `from`, which is not empty, replaced; from left to right.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

// The steps of a tokenizer.json's normalizer, each of which changes a whole text.
class Normalizer {
 public:
  struct Nfc {};
  struct Nfkc {};
  struct Lowercase {};
  struct Prepend {
    std::string text;  // not put before an empty text
  };
  struct Replace {
    std::string from, to;
  };
  // Replaces each run of two or more spaces.
  struct ReplaceSpaceRuns {
    std::string to;
  };
  struct Strip {
    bool left, right;
  };
  using Step = std::variant<Nfc, Nfkc, Lowercase, Prepend, Replace, ReplaceSpaceRuns, Strip>;

  void add(Step step) { steps_.push_back(std::move(step)); }
  std::size_t size() const { return steps_.size(); }

  // Of valid UTF-8. Returns `text` itself where nothing changes it, else a view of `storage`.
  std::string_view run(std::string_view text, std::string& storage) const;

 private:
  std::vector<Step> steps_;
};

}  // namespace strata::text
