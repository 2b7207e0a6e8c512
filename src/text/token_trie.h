// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace strata::text {

// The tokens that begin at a place of a text. The children of a node lie side by side.
class TokenTrie {
 public:
  // Of tokens with the same text the largest id counts; empty ones are left out.
  explicit TokenTrie(std::vector<std::pair<std::string_view, std::int32_t>> tokens);

  // Calls found(id, bytes) for each token that begins at `pos`, the shortest first.
  template <typename F>
  void for_each_at(std::string_view text, std::size_t pos, F&& found) const {
    std::uint32_t node = 0;
    for (std::size_t end = pos; end < text.size();) {
      const Node& parent = nodes_[node];
      if (parent.children == 0) return;
      const void* label = std::memchr(labels_.data() + parent.first_child, text[end], parent.children);
      if (label == nullptr) return;
      node = static_cast<std::uint32_t>(static_cast<const char*>(label) - labels_.data());
      ++end;
      if (nodes_[node].token >= 0) found(nodes_[node].token, end - pos);
    }
  }

 private:
  struct Node {
    std::uint32_t first_child = 0;
    std::uint32_t children = 0;
    std::int32_t token = -1;
  };

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::vector<char> labels_ = std::vector<char>(1);  // of the edge to each node
};

}  // namespace strata::text
