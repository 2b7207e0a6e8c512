// SPDX-License-Identifier: Apache-2.0
#include "text/ngram_draft.h"

#include <algorithm>

#include "base/hash.h"

namespace strata::text {
namespace {

std::uint64_t key(std::span<const std::int32_t> tokens) { return hash64(std::as_bytes(tokens)); }

}  // namespace

void NgramDraft::push(std::int32_t token) {
  const std::size_t size = tokens_.size();
  for (std::size_t length = kShortest; length <= std::min(kLongest, size); ++length) {
    followed_[length - kShortest][key(std::span(tokens_).last(length))] = size;
  }
  tokens_.push_back(token);
}

std::span<const std::int32_t> NgramDraft::guess(std::size_t most) const {
  const std::span<const std::int32_t> all(tokens_);
  for (std::size_t length = std::min(kLongest, all.size()); length >= kShortest; --length) {
    const auto& followed = followed_[length - kShortest];
    const auto found = followed.find(key(all.last(length)));
    if (found == followed.end()) continue;
    const std::size_t at = found->second;
    // Hashes may be alike where tokens aren't.
    if (!std::ranges::equal(all.subspan(at - length, length), all.last(length))) continue;
    return all.subspan(at, std::min(most, all.size() - at));
  }
  return {};
}

}  // namespace strata::text
