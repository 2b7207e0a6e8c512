// SPDX-License-Identifier: Apache-2.0
#include "text/added_tokens.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/unicode.h"
#include "base/utf8.h"

namespace strata::text {
namespace {

// Start of the last character of a text that is not empty.
std::size_t last_character(std::string_view text) {
  std::size_t pos = text.size() - 1;
  while (pos > 0 && (static_cast<unsigned char>(text[pos]) & 0xC0) == 0x80) --pos;
  return pos;
}

bool ends_with_word(std::string_view text) {
  return !text.empty() && is_word_character(decode_utf8(text, last_character(text)).code_point);
}

bool starts_with_word(std::string_view text) {
  return !text.empty() && is_word_character(decode_utf8(text, 0).code_point);
}

bool is_space_at(std::string_view text, std::size_t pos) {
  return char_class(decode_utf8(text, pos).code_point) == CharClass::kSpace;
}

std::size_t strip_left(std::string_view text, std::size_t begin, std::size_t limit) {
  while (begin > limit) {
    const std::size_t pos = last_character(text.substr(0, begin));
    if (!is_space_at(text, pos)) break;
    begin = pos;
  }
  return std::max(begin, limit);
}

std::size_t strip_right(std::string_view text, std::size_t end) {
  while (end < text.size() && is_space_at(text, end)) end += decode_utf8(text, end).size;
  return end;
}

}  // namespace

void AddedTokenMatcher::add(AddedToken token) {
  STRATA_CHECK(!token.content.empty() && token.content.size() <= kMaxContentBytes, "an added token has a bad length");
  std::uint32_t node = 0;
  for (const char c : token.content) {
    const auto byte = static_cast<unsigned char>(c);
    std::uint32_t next = child(node, byte);
    if (next == 0) {
      next = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
      nodes_[node].children.emplace_back(byte, next);
    }
    node = next;
  }
  if (nodes_[node].token >= 0) return;
  nodes_[node].token = static_cast<std::int32_t>(tokens_.size());
  may_begin_[static_cast<unsigned char>(token.content[0])] = true;
  tokens_.push_back(std::move(token));
}

std::uint32_t AddedTokenMatcher::child(std::uint32_t node, unsigned char byte) const {
  for (const auto& [label, next] : nodes_[node].children) {
    if (label == byte) return next;
  }
  return 0;
}

const AddedToken* AddedTokenMatcher::longest_at(std::string_view text, std::size_t pos) const {
  const AddedToken* longest = nullptr;
  std::uint32_t node = 0;
  for (; pos < text.size(); ++pos) {
    node = child(node, static_cast<unsigned char>(text[pos]));
    if (node == 0) break;
    if (nodes_[node].token >= 0) longest = &tokens_[nodes_[node].token];
  }
  return longest;
}

std::vector<TextPiece> AddedTokenMatcher::split(std::string_view text, bool special_as_text) const {
  std::vector<TextPiece> pieces;
  std::size_t begin = 0;  // of the text that is in no piece yet
  for (std::size_t pos = 0; pos < text.size();) {
    const AddedToken* token = may_begin_[static_cast<unsigned char>(text[pos])] ? longest_at(text, pos) : nullptr;
    if (token == nullptr) {
      ++pos;
      continue;
    }
    std::size_t first = pos, last = pos + token->content.size();
    pos = last;
    if (special_as_text && token->special) continue;
    if (token->single_word && (ends_with_word(text.substr(0, first)) || starts_with_word(text.substr(last)))) continue;
    if (token->left_strip) first = strip_left(text, first, begin);
    if (token->right_strip) last = strip_right(text, last);
    if (begin < first) pieces.push_back({text.substr(begin, first - begin), std::nullopt});
    pieces.push_back({text.substr(first, last - first), token->id});
    begin = std::max(begin, last);
  }
  if (begin < text.size()) pieces.push_back({text.substr(begin), std::nullopt});
  return pieces;
}

}  // namespace strata::text
