// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace strata::text {

// Ids of the short words seen last, by their bytes. A direct-mapped table: a new word takes the place of an older one.
class WordCache {
 public:
  // Appends the word's ids to `out`, or returns false.
  bool lookup(std::string_view word, std::vector<std::int32_t>& out) const;
  void store(std::string_view word, const std::int32_t* ids, std::size_t count);

 private:
  static constexpr std::size_t kEntries = 1 << 14;
  static constexpr std::size_t kMaxBytes = 18;
  static constexpr std::size_t kMaxIds = 7;
  struct Entry {
    std::uint8_t bytes = 0;
    std::uint8_t count = 0;
    std::array<char, kMaxBytes> word{};
    std::array<std::int32_t, kMaxIds> ids{};
  };

  static std::size_t slot_of(std::string_view word);

  std::vector<Entry> entries_;  // empty until the first word is stored
};

}  // namespace strata::text
