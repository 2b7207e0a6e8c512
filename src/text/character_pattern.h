// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace strata::text {

// A regular expression that is a few classes of characters one after another, such as "\s?\p{L}+", "[\r\n]" or
// "[0-9][0-9][0-9]": the first class may have "?" behind it, the last one "+", and "$" may end it all. Classes are made
// of characters, ranges, \r, \n, \t, \s, \p{L}, \p{M}, \p{N}, \p{P}.
class CharacterPattern {
 public:
  // Nothing for a regular expression of another form.
  static std::optional<CharacterPattern> parse(std::string_view regex);

  // End of the piece that begins at `pos` where a text is cut around each match. Requires valid UTF-8 and
  // pos < text.size(). Constant stack; over a whole text the work is linear.
  std::size_t end_of_piece(std::string_view text, std::size_t pos) const;

 private:
  struct CharacterClass {
    std::vector<std::pair<char32_t, char32_t>> ranges;  // first and last
    bool spaces = false, letters = false, marks = false, numbers = false, punctuation = false;

    bool contains(char32_t character) const;
  };
  enum class Count : std::uint8_t { kOne, kAtMostOne, kAtLeastOne };
  struct Item {
    CharacterClass characters;
    Count count = Count::kOne;
  };
  class Parser;

  // End of the match that begins at `pos`; `pos`: there is none.
  std::size_t match_end(std::string_view text, std::size_t pos) const;
  std::size_t items_end(std::string_view text, std::size_t pos, std::size_t first_item) const;
  std::size_t begin_of_last_run(std::string_view text, std::size_t pos) const;

  std::vector<Item> items_;
  bool at_end_ = false;  // matches end where the text does; there is one item then, with "+"
};

}  // namespace strata::text
