// SPDX-License-Identifier: Apache-2.0
#include "runtime/page_table.h"

namespace strata::runtime {
namespace {

std::size_t pages_for(std::int64_t tokens) {
  return static_cast<std::size_t>((tokens + PageTable::kRows - 1) / PageTable::kRows);
}

}  // namespace

PageTable::PageTable(std::int64_t pages, int sequences, std::int64_t most)
    : pages_(static_cast<std::size_t>(sequences)) {
  for (auto& own : pages_) own.reserve(static_cast<std::size_t>(most));
  free_.reserve(static_cast<std::size_t>(pages));
  for (std::int64_t page = pages; page-- > 0;) free_.push_back(static_cast<std::int32_t>(page));
}

bool PageTable::reserve(int sequence, std::int64_t tokens) {
  std::vector<std::int32_t>& own = pages_[static_cast<std::size_t>(sequence)];
  const std::size_t wanted = pages_for(tokens);
  if (wanted > own.size() + free_.size()) return false;
  while (own.size() < wanted) {
    own.push_back(free_.back());
    free_.pop_back();
  }
  return true;
}

void PageTable::truncate(int sequence, std::int64_t tokens) {
  std::vector<std::int32_t>& own = pages_[static_cast<std::size_t>(sequence)];
  const std::size_t wanted = pages_for(tokens);
  while (own.size() > wanted) {
    free_.push_back(own.back());
    own.pop_back();
  }
}

std::int32_t PageTable::row(int sequence, std::int64_t position) const {
  const std::int32_t page = pages_[static_cast<std::size_t>(sequence)][static_cast<std::size_t>(position / kRows)];
  return static_cast<std::int32_t>(page * kRows + position % kRows);
}

}  // namespace strata::runtime
