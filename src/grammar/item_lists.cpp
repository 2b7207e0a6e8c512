// SPDX-License-Identifier: Apache-2.0
#include "grammar/item_lists.h"

#include <xxhash.h>

#include <algorithm>

namespace strata::grammar {

std::uint32_t ItemLists::number_of(std::span<const Item> items) {
  const std::uint64_t hash = XXH3_64bits(items.data(), items.size_bytes());
  const auto [begin, end] = by_hash_.equal_range(hash);
  for (auto at = begin; at != end; ++at) {
    if (std::ranges::equal((*this)[at->second], items)) return at->second;
  }
  const auto number = static_cast<std::uint32_t>(size());
  items_.insert(items_.end(), items.begin(), items.end());
  begins_.push_back(items_.size());
  by_hash_.emplace(hash, number);
  return number;
}

}  // namespace strata::grammar
