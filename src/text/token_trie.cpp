// SPDX-License-Identifier: Apache-2.0
#include "text/token_trie.h"

#include <algorithm>

namespace strata::text {

TokenTrie::TokenTrie(std::vector<std::pair<std::string_view, std::int32_t>> tokens) {
  std::ranges::sort(tokens);
  // The tokens below each node, in the order of the nodes, which is breadth first.
  struct Range {
    std::size_t begin, end, depth;
  };
  std::vector<Range> below = {{0, tokens.size(), 0}};
  for (std::size_t node = 0; node < below.size(); ++node) {
    auto [begin, end, depth] = below[node];
    for (; begin < end && tokens[begin].first.size() == depth; ++begin) {
      if (depth > 0) nodes_[node].token = tokens[begin].second;
    }
    nodes_[node].first_child = static_cast<std::uint32_t>(nodes_.size());
    while (begin < end) {
      const char label = tokens[begin].first[depth];
      std::size_t last = begin;
      while (last < end && tokens[last].first[depth] == label) ++last;
      labels_.push_back(label);
      nodes_.emplace_back();
      below.push_back({begin, last, depth + 1});
      begin = last;
    }
    nodes_[node].children = static_cast<std::uint32_t>(nodes_.size()) - nodes_[node].first_child;
  }
}

}  // namespace strata::text
