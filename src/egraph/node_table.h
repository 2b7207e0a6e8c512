// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace strata::egraph {

// The hash-cons: a set of node ids keyed by the nodes' content, which the caller hashes and compares. Open addressing
// with linear probing; erasing moves later entries back, so there are no tombstones. The order is never looked at.
class NodeTable {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  // The id with this hash of which equal(id) holds, or kNone.
  template <class Equal>
  std::uint32_t find(std::uint32_t hash, const Equal& equal) const {
    if (entries_.empty()) return kNone;
    for (std::size_t at = hash & mask();; at = (at + 1) & mask()) {
      const Entry& entry = entries_[at];
      if (entry.id == kNone) return kNone;
      if (entry.hash == hash && equal(entry.id)) return entry.id;
    }
  }

  // The id must not be in the table.
  void insert(std::uint32_t hash, std::uint32_t id) {
    if ((size_ + 1) * 3 > entries_.size() * 2) grow();
    place({hash, id});
    ++size_;
  }

  // The id must be in the table under this hash.
  void erase(std::uint32_t hash, std::uint32_t id) {
    std::size_t hole = hash & mask();
    while (entries_[hole].id != id) hole = (hole + 1) & mask();
    for (std::size_t at = (hole + 1) & mask(); entries_[at].id != kNone; at = (at + 1) & mask()) {
      const std::size_t home = entries_[at].hash & mask();
      if (((at - home) & mask()) < ((at - hole) & mask())) continue;  // its home lies behind the hole
      entries_[hole] = entries_[at];
      hole = at;
    }
    entries_[hole].id = kNone;
    --size_;
  }

  std::size_t size() const { return size_; }
  std::size_t memory_bytes() const { return entries_.capacity() * sizeof(Entry); }

 private:
  struct Entry {
    std::uint32_t hash = 0;
    std::uint32_t id = kNone;
  };

  std::size_t mask() const { return entries_.size() - 1; }

  void place(const Entry& entry) {
    std::size_t at = entry.hash & mask();
    while (entries_[at].id != kNone) at = (at + 1) & mask();
    entries_[at] = entry;
  }

  void grow() {
    std::vector<Entry> old(entries_.empty() ? 64 : entries_.size() * 2);
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.id != kNone) place(entry);
    }
  }

  std::vector<Entry> entries_;  // a power of two, or none
  std::size_t size_ = 0;
};

}  // namespace strata::egraph
