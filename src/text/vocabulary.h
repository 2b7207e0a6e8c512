// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strata::text {

// Tokens as a tokenizer.json spells them, by id and back. Ids may have holes.
class Vocabulary {
 public:
  static constexpr std::int64_t kMaxId = (std::int64_t{1} << 22) - 1;

  void reserve(std::size_t tokens, std::size_t bytes);

  // Requires 0 <= id <= kMaxId. False when the id belongs to another token; a token seen again takes its new id.
  [[nodiscard]] bool insert(std::string_view token, std::int32_t id);

  std::optional<std::int32_t> find(std::string_view token) const;

  bool contains(std::int32_t id) const {
    return id >= 0 && static_cast<std::size_t>(id) < slices_.size() && slices_[id].size != kAbsent;
  }

  // Requires contains(id).
  std::string_view token(std::int32_t id) const { return {pool_.data() + slices_[id].begin, slices_[id].size}; }

  std::int64_t size() const { return static_cast<std::int64_t>(slices_.size()); }  // largest id + 1

 private:
  static constexpr std::uint32_t kAbsent = 0xFFFFFFFF;
  struct Slice {
    std::uint32_t begin = 0, size = kAbsent;
  };

  std::size_t slot_of(std::string_view token) const;
  void grow();

  std::string pool_;
  std::vector<Slice> slices_;        // by id
  std::vector<std::int32_t> slots_;  // open addressing by hash; -1 is free
  std::size_t used_slots_ = 0;
};

// The rank of a merge and the token it makes, by the pair of tokens it joins.
class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank;
    std::int32_t token;
  };

  void reserve(std::size_t merges);

  // A pair given again takes the later rank.
  void insert(std::int32_t left, std::int32_t right, Merge merge);

  // Whether `is_one(left, right)` is false for all pairs that merge.
  template <typename F>
  bool none_of(F&& is_one) const {
    return std::ranges::none_of(entries_, [&](const Entry& entry) {
      return entry.key != kFree &&
             is_one(static_cast<std::int32_t>(entry.key >> 32), static_cast<std::int32_t>(entry.key & 0xFFFFFFFF));
    });
  }

  // nullptr where the pair does not merge.
  const Merge* find(std::int32_t left, std::int32_t right) const {
    if (entries_.empty()) return nullptr;
    const std::uint64_t key = key_of(left, right);
    for (std::size_t slot = hash(key) & mask_;; slot = (slot + 1) & mask_) {
      const Entry& entry = entries_[slot];
      if (entry.key == key) return &entry.merge;
      if (entry.key == kFree) return nullptr;
    }
  }

 private:
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};  // ids are not negative, so no pair has this key
  struct Entry {
    std::uint64_t key = kFree;
    Merge merge{};
  };

  static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) | static_cast<std::uint32_t>(right);
  }
  static std::size_t hash(std::uint64_t key) {
    key *= 0x9E3779B97F4A7C15ULL;
    return static_cast<std::size_t>(key ^ (key >> 29));
  }

  std::vector<Entry> entries_;
  std::size_t mask_ = 0;
  std::size_t used_ = 0;
};

}  // namespace strata::text
