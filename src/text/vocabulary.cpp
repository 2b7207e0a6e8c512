// SPDX-License-Identifier: Apache-2.0
#include "text/vocabulary.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/error.h"

namespace strata::text {

void Vocabulary::reserve(std::size_t tokens, std::size_t bytes) {
  pool_.reserve(bytes);
  slices_.reserve(tokens);
  const std::size_t wanted = std::bit_ceil(std::max<std::size_t>(16, tokens * 2));
  if (wanted > slots_.size()) {
    slots_.resize(wanted / 2);
    grow();
  }
}

// Where the token is, or the free slot where it would go.
std::size_t Vocabulary::slot_of(std::string_view token) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = XXH3_64bits(token.data(), token.size()) & mask;
  while (slots_[slot] >= 0 && this->token(slots_[slot]) != token) slot = (slot + 1) & mask;
  return slot;
}

void Vocabulary::grow() {
  slots_.assign(std::max<std::size_t>(16, slots_.size() * 2), -1);
  for (std::size_t id = 0; id < slices_.size(); ++id) {
    const auto signed_id = static_cast<std::int32_t>(id);
    if (contains(signed_id)) slots_[slot_of(token(signed_id))] = signed_id;
  }
}

bool Vocabulary::insert(std::string_view token, std::int32_t id) {
  STRATA_CHECK(id >= 0 && id <= kMaxId, "a token id is out of range");
  if (contains(id)) return this->token(id) == token;
  if ((used_slots_ + 1) * 2 > slots_.size()) grow();
  if (static_cast<std::size_t>(id) >= slices_.size()) slices_.resize(static_cast<std::size_t>(id) + 1);
  std::int32_t& slot = slots_[slot_of(token)];
  if (slot >= 0) {
    slices_[id] = std::exchange(slices_[slot], Slice{});
  } else {
    ++used_slots_;
    slices_[id] = {static_cast<std::uint32_t>(pool_.size()), static_cast<std::uint32_t>(token.size())};
    pool_ += token;
  }
  slot = id;
  return true;
}

std::optional<std::int32_t> Vocabulary::find(std::string_view token) const {
  if (slots_.empty()) return std::nullopt;
  const std::int32_t id = slots_[slot_of(token)];
  return id >= 0 ? std::optional(id) : std::nullopt;
}

void MergeTable::reserve(std::size_t merges) {
  std::vector<Entry> old = std::exchange(entries_, {});
  entries_.resize(std::bit_ceil(std::max<std::size_t>(16, merges + merges / 2)));
  mask_ = entries_.size() - 1;
  used_ = 0;
  for (const Entry& entry : old) {
    if (entry.key == kFree) continue;
    insert(static_cast<std::int32_t>(entry.key >> 32), static_cast<std::int32_t>(entry.key & 0xFFFFFFFF), entry.merge);
  }
}

void MergeTable::insert(std::int32_t left, std::int32_t right, Merge merge) {
  if ((used_ + 1) * 4 > entries_.size() * 3) reserve(entries_.size() * 2);
  const std::uint64_t key = key_of(left, right);
  std::size_t slot = hash(key) & mask_;
  while (entries_[slot].key != key && entries_[slot].key != kFree) slot = (slot + 1) & mask_;
  used_ += entries_[slot].key == kFree;
  entries_[slot] = {key, merge};
}

}  // namespace strata::text
