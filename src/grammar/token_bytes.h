// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace strata::grammar {

// The bytes of a vocabulary's tokens as a trie, its nodes in the order of a walk from the root: below a node are those
// up to `end`.
class TokenBytes {
 public:
  struct Node {
    std::uint32_t end = 0;
    std::uint32_t parent = 0;
    std::uint32_t tokens_begin = 0, tokens_end = 0;  // those with these bytes
    std::uint16_t depth = 0;                         // bytes
    std::uint8_t byte = 0;
  };

  // By token id; no grammar allows those without bytes, or with more than kMaxTokenBytes.
  explicit TokenBytes(const std::vector<std::string>& bytes);

  std::size_t vocabulary() const { return vocabulary_; }
  std::span<const Node> nodes() const { return nodes_; }  // the first is the root
  std::span<const std::int32_t> tokens(const Node& node) const {
    return std::span(tokens_).subspan(node.tokens_begin, node.tokens_end - node.tokens_begin);
  }
  std::size_t deepest() const { return deepest_; }

 private:
  std::vector<Node> nodes_;
  std::vector<std::int32_t> tokens_;
  std::size_t vocabulary_, deepest_ = 0;
};

}  // namespace strata::grammar
