// SPDX-License-Identifier: Apache-2.0
#include "runtime/page_table.h"

#include <algorithm>

#include "base/error.h"

namespace strata::runtime {
namespace {

std::size_t pages_for(std::int64_t tokens) {
  return static_cast<std::size_t>((tokens + PageTable::kRows - 1) / PageTable::kRows);
}

}  // namespace

PageTable::PageTable(std::int64_t pages, int sequences, std::int64_t most)
    : pages_(static_cast<std::size_t>(pages)),
      tokens_(static_cast<std::size_t>(pages * kRows)),
      sequences_(static_cast<std::size_t>(sequences)) {
  for (Sequence& sequence : sequences_) sequence.pages.reserve(static_cast<std::size_t>(most));
  free_.reserve(pages_.size());
  for (std::int64_t number = pages; number-- > 0;) free_.push_back(static_cast<std::int32_t>(number));
}

std::span<std::int32_t> PageTable::tokens_of(std::int32_t number) {
  return std::span(tokens_).subspan(static_cast<std::size_t>(number) * kRows, kRows);
}

std::int64_t PageTable::begin(int sequence, std::span<const std::int32_t> tokens) {
  release(sequence);
  Sequence& to = own(sequence);
  std::int32_t last = -1;
  for (std::size_t most = kRows; most == kRows;) {
    const std::span<const std::int32_t> left = tokens.subspan(static_cast<std::size_t>(to.tokens));
    std::int32_t longest = -1;
    most = 0;
    for (std::int32_t number = 0; number < std::ssize(pages_); ++number) {
      if (page(number).is_free || page(number).parent != last) continue;
      const auto held = tokens_of(number).first(static_cast<std::size_t>(page(number).count));
      const auto same = static_cast<std::size_t>(std::ranges::mismatch(held, left).in1 - held.begin());
      if (same > most) longest = number, most = same;
    }
    if (most == 0) break;
    use(longest);
    to.pages.push_back(longest);
    to.tokens += static_cast<std::int64_t>(most);
    last = longest;
  }
  return to.tokens;
}

PageTable::Appended PageTable::append(int sequence, std::span<const std::int32_t> tokens) {
  Sequence& to = own(sequence);
  const auto inside = static_cast<std::int32_t>(to.tokens % kRows);
  const std::int32_t last = to.pages.empty() ? -1 : to.pages.back();
  const std::size_t pages = pages_for(to.tokens + std::ssize(tokens));
  const std::size_t wanted = pages - to.pages.size(), room = free_.size() + kept_;
  if (wanted > room) return {};
  // What others have must be copied. What was left there for others is, if that is most of the page in place of some
  // other page that is kept.
  const bool is_shared = inside != 0 && page(last).users > 1;
  const bool is_changed = inside != 0 && (is_shared || page(last).children > 0 || page(last).count != inside);
  const bool loses_little = is_changed && page(last).children == 0 && 2 * inside >= page(last).count;
  const bool is_copied = is_shared || (is_changed && wanted < (loses_little ? free_.size() : room));
  if (wanted + (is_copied ? 1 : 0) > room) return {};
  if (is_changed && !is_copied) cut(last, inside);
  Appended appended{true};
  if (is_copied) {
    const std::int32_t copy = take(page(last).parent);
    std::ranges::copy(tokens_of(last).first(static_cast<std::size_t>(inside)), tokens_of(copy).begin());
    page(copy).count = inside;
    to.pages.back() = copy;
    appended.copy = {last, copy};
  }
  while (to.pages.size() < pages) to.pages.push_back(take(to.pages.empty() ? -1 : to.pages.back()));
  // What is copied from was not to be taken meanwhile.
  if (is_copied) leave(last, true);
  for (const std::int32_t token : tokens) {
    const std::int32_t number = to.pages[static_cast<std::size_t>(to.tokens / kRows)];
    tokens_of(number)[static_cast<std::size_t>(to.tokens++ % kRows)] = token;
    ++page(number).count;
  }
  return appended;
}

void PageTable::truncate(int sequence, std::int64_t tokens) {
  Sequence& of = own(sequence);
  const std::size_t wanted = pages_for(tokens);
  while (of.pages.size() > wanted) {
    leave(of.pages.back(), false);
    of.pages.pop_back();
  }
  of.tokens = std::min(of.tokens, tokens);
  if (of.tokens % kRows == 0) return;
  Page& last = page(of.pages.back());
  if (last.users == 1 && last.children == 0) last.count = static_cast<std::int32_t>(of.tokens % kRows);
}

void PageTable::release(int sequence) {
  Sequence& of = own(sequence);
  // The last pages first, so that they go before those that they follow.
  while (!of.pages.empty()) {
    leave(of.pages.back(), true);
    of.pages.pop_back();
  }
  of.tokens = 0;
}

std::int32_t PageTable::row(int sequence, std::int64_t position) const {
  const std::int32_t number = own(sequence).pages[static_cast<std::size_t>(position / kRows)];
  return static_cast<std::int32_t>(number * kRows + position % kRows);
}

// A page for one sequence, behind another one; there is a free one, or one that is kept.
std::int32_t PageTable::take(std::int32_t parent) {
  if (free_.empty()) remove(least_recently_used());
  const std::int32_t number = free_.back();
  free_.pop_back();
  page(number) = {.parent = parent, .users = 1, .is_free = false};
  if (parent >= 0) ++page(parent).children;
  return number;
}

void PageTable::use(std::int32_t number) {
  if (page(number).users++ == 0) --kept_;
}

void PageTable::leave(std::int32_t number, bool is_kept) {
  Page& left = page(number);
  if (--left.users > 0) return;
  left.last_used = ++uses_;
  ++kept_;
  if (!is_kept && left.children == 0) remove(number);
}

// One that no sequence has, nor a page behind it.
void PageTable::remove(std::int32_t number) {
  Page& removed = page(number);
  if (removed.parent >= 0) --page(removed.parent).children;
  removed = {};
  free_.push_back(number);
  --kept_;
}

// Of a page of one sequence, with what is behind it, which no sequence has.
void PageTable::cut(std::int32_t number, std::int32_t count) {
  page(number).count = count;
  for (std::int32_t child = 0; page(number).children > 0; ++child) {
    if (page(child).is_free || page(child).parent != number) continue;
    cut(child, 0);
    remove(child);
  }
}

std::int32_t PageTable::least_recently_used() const {
  std::int32_t oldest = -1;
  for (std::size_t i = 0; i < pages_.size(); ++i) {
    const Page& candidate = pages_[i];
    if (candidate.is_free || candidate.users > 0 || candidate.children > 0) continue;
    const bool is_older = oldest < 0 || candidate.last_used < pages_[static_cast<std::size_t>(oldest)].last_used;
    if (is_older) oldest = static_cast<std::int32_t>(i);
  }
  STRATA_CHECK(oldest >= 0, "no page is kept that could go");
  return oldest;
}

}  // namespace strata::runtime
