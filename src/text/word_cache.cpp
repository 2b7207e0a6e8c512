// SPDX-License-Identifier: Apache-2.0
#include "text/word_cache.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace strata::text {

std::size_t WordCache::slot_of(std::string_view word) { return XXH3_64bits(word.data(), word.size()) % kEntries; }

bool WordCache::lookup(std::string_view word, std::vector<std::int32_t>& out) const {
  if (word.size() > kMaxBytes || entries_.empty()) return false;
  const Entry& entry = entries_[slot_of(word)];
  if (entry.bytes != word.size() || std::memcmp(entry.word.data(), word.data(), word.size()) != 0) return false;
  out.insert(out.end(), entry.ids.begin(), entry.ids.begin() + entry.count);
  return true;
}

void WordCache::store(std::string_view word, const std::int32_t* ids, std::size_t count) {
  if (word.empty() || word.size() > kMaxBytes || count > kMaxIds) return;
  if (entries_.empty()) entries_.resize(kEntries);
  Entry& entry = entries_[slot_of(word)];
  entry.bytes = static_cast<std::uint8_t>(word.size());
  entry.count = static_cast<std::uint8_t>(count);
  std::copy(word.begin(), word.end(), entry.word.begin());
  std::copy(ids, ids + count, entry.ids.begin());
}

}  // namespace strata::text
