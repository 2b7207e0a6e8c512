// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strata::text {

// A token that is found in the text as it stands, before it is cut into words.
struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool special = false;
  bool normalized = false;   // looked for in the normalised text, not in the raw one
  bool single_word = false;  // only where no word character stands beside it
  bool left_strip = false;   // takes the spaces before it along
  bool right_strip = false;  // takes the spaces after it along
};

// A part of a text: an added token, or text between two of them.
struct TextPiece {
  std::string_view text;
  std::optional<std::int32_t> token;
};

// Finds a set of added tokens in a text: from left to right, the longest at each place.
class AddedTokenMatcher {
 public:
  // Longer contents are refused by the file reader, so that matching stays linear in the text.
  static constexpr std::size_t kMaxContentBytes = 1024;

  // Of two tokens with the same content the first counts. Requires 0 < content.size() <= kMaxContentBytes.
  void add(AddedToken token);
  bool empty() const { return tokens_.empty(); }

  // The pieces of `text` in order, none empty. With special_as_text, special tokens are text like any other.
  std::vector<TextPiece> split(std::string_view text, bool special_as_text) const;

 private:
  struct Node {
    std::vector<std::pair<unsigned char, std::uint32_t>> children;
    std::int32_t token = -1;  // index into tokens_
  };

  std::uint32_t child(std::uint32_t node, unsigned char byte) const;  // 0 where there is none
  const AddedToken* longest_at(std::string_view text, std::size_t pos) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::array<bool, 256> may_begin_{};
};

}  // namespace strata::text
