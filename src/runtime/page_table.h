// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ir/cache_pages.h"

namespace strata::runtime {

// Which pages of a pool have each sequence's rows of the caches, in their order. Pages are given as a sequence grows.
//
// Each page is known by its tokens and by the page before it, so that all pages are a tree, and sequences that begin
// alike have the same first pages. What several ones have is never written: whoever goes on inside of such a page gets
// a copy. Pages that no sequence has any more are kept until somebody needs one; the one that was not used for the
// longest time goes first.
class PageTable {
 public:
  static constexpr std::int64_t kRows = ir::kPageRows;

  // Of pages 0 ... pages - 1, for sequences that have `most` each at most.
  PageTable(std::int64_t pages, int sequences, std::int64_t most);

  // The sequence keeps its pages for others, and takes those that begin as these tokens do. Returns for how many
  // tokens.
  std::int64_t begin(int sequence, std::span<const std::int32_t> tokens);

  // A page whose rows must be copied before tokens are computed.
  struct Copy {
    std::int32_t from = 0, to = 0;
  };
  struct Appended {
    bool has_room = false;  // else nothing has changed
    std::optional<Copy> copy = {};
  };

  // Sees to it that the sequence has pages for these tokens, which are computed next.
  Appended append(int sequence, std::span<const std::int32_t> tokens);

  // Forgets all but so many tokens of the sequence.
  void truncate(int sequence, std::int64_t tokens);

  // The sequence ends; what it had is kept while there is room.
  void release(int sequence);

  std::span<const std::int32_t> of(int sequence) const { return own(sequence).pages; }

  // Of the caches, that has what a token leaves there.
  std::int32_t row(int sequence, std::int64_t position) const;

 private:
  struct Page {
    std::int32_t parent = -1;  // -1: it has a sequence's first tokens
    std::int32_t count = 0;    // of its tokens
    std::int32_t users = 0;    // sequences that have it
    std::int32_t children = 0;
    bool is_free = true;
    std::uint64_t last_used = 0;
  };
  struct Sequence {
    std::vector<std::int32_t> pages;
    std::int64_t tokens = 0;
  };

  Sequence& own(int sequence) { return sequences_[static_cast<std::size_t>(sequence)]; }
  const Sequence& own(int sequence) const { return sequences_[static_cast<std::size_t>(sequence)]; }
  Page& page(std::int32_t number) { return pages_[static_cast<std::size_t>(number)]; }
  std::span<std::int32_t> tokens_of(std::int32_t number);
  std::int32_t take(std::int32_t parent);
  void use(std::int32_t number);
  void leave(std::int32_t number, bool is_kept);
  void remove(std::int32_t number);
  void cut(std::int32_t number, std::int32_t count);
  std::int32_t least_recently_used() const;

  std::vector<Page> pages_;
  std::vector<std::int32_t> tokens_;  // kRows of each page
  std::vector<Sequence> sequences_;
  std::vector<std::int32_t> free_;  // the next one last
  std::size_t kept_ = 0;            // pages that no sequence has
  std::uint64_t uses_ = 0;
};

}  // namespace strata::runtime
