// SPDX-License-Identifier: Apache-2.0
#include "egraph/node.h"

#include <algorithm>

namespace strata::egraph {

bool same_node(const ENode& a, const ENode& b) {
  return a.op == b.op && a.payload == b.payload && std::ranges::equal(a.children, b.children);
}

std::uint32_t hash_node(const ENode& node) {
  // Multiplying and folding the halves spreads every input bit over the low bits, which choose the table's slot.
  const auto mix = [](std::uint64_t hash, std::uint64_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
  };
  std::uint64_t hash = mix(node.children.size() + 1, (std::uint64_t{node.op} << 32) | node.payload);
  for (const ClassId child : node.children) hash = mix(hash, child);
  return static_cast<std::uint32_t>(hash);
}

std::span<ClassId> ChildArena::copy(std::span<const ClassId> children) {
  if (children.empty()) return {};
  if (children.size() > free_) {
    const std::size_t size = std::max(kBlock, children.size());
    blocks_.push_back(std::make_unique_for_overwrite<ClassId[]>(size));
    free_ = size;
    bytes_ += size * sizeof(ClassId);
    block_end_ = blocks_.back().get() + size;
  }
  ClassId* place = block_end_ - free_;
  free_ -= children.size();
  std::ranges::copy(children, place);
  return {place, children.size()};
}

}  // namespace strata::egraph
