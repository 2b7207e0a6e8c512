// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace strata::grammar {

// A state of a program, and the number of the list of items that its rule goes back to.
struct Item {
  std::uint32_t state = 0;
  std::uint32_t returns = 0;
  auto operator<=>(const Item&) const = default;
};

// Lists of items, each kept once: equal lists have one number.
class ItemLists {
 public:
  std::uint32_t number_of(std::span<const Item> items);
  std::span<const Item> operator[](std::uint32_t list) const {
    return std::span(items_).subspan(begins_[list], begins_[list + 1] - begins_[list]);
  }
  std::size_t size() const { return begins_.size() - 1; }
  std::size_t bytes() const { return items_.size() * sizeof(Item) + size() * kListBytes; }

 private:
  static constexpr std::size_t kListBytes = 64;  // about, with its entry in the map

  std::vector<Item> items_;
  std::vector<std::size_t> begins_ = {0};
  std::unordered_multimap<std::uint64_t, std::uint32_t> by_hash_;
};

}  // namespace strata::grammar
