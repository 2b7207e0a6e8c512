// SPDX-License-Identifier: Apache-2.0
#include "grammar/token_bytes.h"

#include <algorithm>
#include <tuple>

#include "grammar/limits.h"

namespace strata::grammar {

TokenBytes::TokenBytes(const std::vector<std::string>& bytes) : vocabulary_(bytes.size()) {
  std::vector<std::int32_t> order;
  for (std::size_t id = 0; id < bytes.size(); ++id) {
    if (!bytes[id].empty() && bytes[id].size() <= kMaxTokenBytes) order.push_back(static_cast<std::int32_t>(id));
  }
  const auto text = [&](std::int32_t id) -> const std::string& { return bytes[static_cast<std::size_t>(id)]; };
  std::ranges::sort(order, [&](std::int32_t a, std::int32_t b) { return std::tie(text(a), a) < std::tie(text(b), b); });
  nodes_.emplace_back();
  std::vector<std::uint32_t> path = {0};  // the nodes of the last token's bytes
  const auto leave = [&](std::size_t depth) {
    for (; path.size() > depth + 1; path.pop_back())
      nodes_[path.back()].end = static_cast<std::uint32_t>(nodes_.size());
  };
  std::string last;
  for (const std::int32_t id : order) {
    const std::string& next = text(id);
    const auto shared = static_cast<std::size_t>(std::ranges::mismatch(last, next).in2 - next.begin());
    leave(shared);
    for (std::size_t i = shared; i < next.size(); ++i) {
      nodes_.push_back({.parent = path.back(),
                        .depth = static_cast<std::uint16_t>(i + 1),
                        .byte = static_cast<std::uint8_t>(next[i])});
      path.push_back(static_cast<std::uint32_t>(nodes_.size() - 1));
    }
    Node& node = nodes_[path.back()];
    if (node.tokens_end == 0) node.tokens_begin = static_cast<std::uint32_t>(tokens_.size());
    tokens_.push_back(id);
    node.tokens_end = static_cast<std::uint32_t>(tokens_.size());
    deepest_ = std::max(deepest_, next.size());
    last = next;
  }
  leave(0);
  nodes_.front().end = static_cast<std::uint32_t>(nodes_.size());
}

}  // namespace strata::grammar
