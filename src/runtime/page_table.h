// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::runtime {

// Which pages of a pool have each sequence's rows of the caches, in their order. Pages are given as a sequence grows.
class PageTable {
 public:
  static constexpr std::int64_t kRows = 256;  // of a page

  // Of pages 0 ... pages - 1, for sequences that have `most` each at most.
  PageTable(std::int64_t pages, int sequences, std::int64_t most);

  // Sees to it that the sequence has pages for so many tokens. False where there are too few: it has then what it had.
  bool reserve(int sequence, std::int64_t tokens);

  // Takes back what so many tokens don't need.
  void truncate(int sequence, std::int64_t tokens);

  std::span<const std::int32_t> of(int sequence) const { return pages_[static_cast<std::size_t>(sequence)]; }

  // Of the caches, that has what a token leaves there.
  std::int32_t row(int sequence, std::int64_t position) const;

  std::int64_t free() const { return static_cast<std::int64_t>(free_.size()); }

 private:
  std::vector<std::vector<std::int32_t>> pages_;  // by sequence
  std::vector<std::int32_t> free_;                // the next one last
};

}  // namespace strata::runtime
