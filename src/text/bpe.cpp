// SPDX-License-Identifier: Apache-2.0
#include "text/bpe.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <queue>

#include "base/utf8.h"
#include "text/byte_level.h"

namespace strata::text {
namespace {

// Up to this many bytes a word is merged by scanning for its best pair, beyond it with a priority queue.
constexpr std::size_t kShortWord = 48;
constexpr std::uint32_t kNoMerge = 0xFFFFFFFF;

std::uint32_t rank_of(const MergeTable& merges, std::int32_t left, std::int32_t right) {
  const MergeTable::Merge* merge = merges.find(left, right);
  return merge == nullptr ? kNoMerge : merge->rank;
}

// Quadratic, but in cache: faster than the queue for the words of real text. Returns how many symbols remain.
std::size_t merge_short_word(const MergeTable& merges, std::int32_t* symbols, std::size_t count) {
  std::uint32_t ranks[kShortWord];  // of the pair (i, i + 1)
  for (std::size_t i = 0; i + 1 < count; ++i) ranks[i] = rank_of(merges, symbols[i], symbols[i + 1]);
  while (count > 1) {
    const std::size_t best = static_cast<std::size_t>(std::min_element(ranks, ranks + count - 1) - ranks);
    if (ranks[best] == kNoMerge) break;
    symbols[best] = merges.find(symbols[best], symbols[best + 1])->token;
    std::copy(symbols + best + 2, symbols + count, symbols + best + 1);
    --count;
    if (best + 1 < count) {
      std::copy(ranks + best + 2, ranks + count, ranks + best + 1);
      ranks[best] = rank_of(merges, symbols[best], symbols[best + 1]);
    }
    if (best > 0) ranks[best - 1] = rank_of(merges, symbols[best - 1], symbols[best]);
  }
  return count;
}

// A doubly linked list of symbols and a queue of candidate pairs ordered by (rank, position). Candidates whose pair has
// changed since are skipped when they come up.
class LongWordMerger {
 public:
  LongWordMerger(const MergeTable& merges, std::vector<std::int32_t> symbols)
      : merges_(merges), symbols_(std::move(symbols)), previous_(symbols_.size()), next_(symbols_.size()) {
    const auto count = static_cast<std::uint32_t>(symbols_.size());
    for (std::uint32_t i = 0; i < count; ++i) {
      previous_[i] = i == 0 ? kEnd : i - 1;
      next_[i] = i + 1 == count ? kEnd : i + 1;
    }
  }

  void run(std::vector<std::int32_t>& out) {
    fill_queue();
    while (!queue_.empty()) {
      const std::uint64_t candidate = queue_.top();
      queue_.pop();
      merge_at(static_cast<std::uint32_t>(candidate), static_cast<std::uint32_t>(candidate >> 32));
    }
    for (std::uint32_t i = 0; i != kEnd; i = next_[i]) out.push_back(symbols_[i]);
  }

 private:
  static constexpr std::uint32_t kEnd = 0xFFFFFFFF;
  static constexpr std::int32_t kMergedAway = -1;
  using Queue = std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>>;

  void fill_queue() {
    std::vector<std::uint64_t> candidates;
    candidates.reserve(symbols_.size());
    for (std::uint32_t i = 0; i + 1 < symbols_.size(); ++i) {
      const std::uint32_t rank = rank_of(merges_, symbols_[i], symbols_[i + 1]);
      if (rank != kNoMerge) candidates.push_back((static_cast<std::uint64_t>(rank) << 32) | i);
    }
    queue_ = Queue(std::greater<>(), std::move(candidates));
  }

  void push(std::uint32_t left) {
    const std::uint32_t rank = rank_of(merges_, symbols_[left], symbols_[next_[left]]);
    if (rank != kNoMerge) queue_.push((static_cast<std::uint64_t>(rank) << 32) | left);
  }

  void merge_at(std::uint32_t left, std::uint32_t rank) {
    if (symbols_[left] == kMergedAway || next_[left] == kEnd) return;
    const std::uint32_t right = next_[left];
    const MergeTable::Merge* merge = merges_.find(symbols_[left], symbols_[right]);
    if (merge == nullptr || merge->rank != rank) return;
    symbols_[left] = merge->token;
    symbols_[right] = kMergedAway;
    next_[left] = next_[right];
    if (next_[left] != kEnd) {
      previous_[next_[left]] = left;
      push(left);
    }
    if (previous_[left] != kEnd) push(previous_[left]);
  }

  const MergeTable& merges_;
  std::vector<std::int32_t> symbols_;
  std::vector<std::uint32_t> previous_, next_;
  Queue queue_;
};

}  // namespace

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

void BytePairEncoder::index_bytes() {
  covers_all_bytes_ = true;
  for (int byte = 0; byte < 256; ++byte) {
    std::string spelling;
    append_utf8(spelling, character_of_byte(static_cast<unsigned char>(byte)));
    byte_tokens_[byte] = vocabulary.find(spelling).value_or(-1);
    covers_all_bytes_ = covers_all_bytes_ && byte_tokens_[byte] >= 0;
  }
}

std::vector<std::int32_t> BytePairEncoder::initial_symbols(std::string_view word) const {
  std::vector<std::int32_t> symbols;
  symbols.reserve(word.size());
  bool after_unknown = false;
  for (const char byte : word) {
    const std::int32_t token = byte_tokens_[static_cast<unsigned char>(byte)];
    if (token >= 0) {
      symbols.push_back(token);
    } else if (unknown_token && !(fuse_unknown && after_unknown)) {
      symbols.push_back(*unknown_token);
    }
    after_unknown = token < 0;
  }
  return symbols;
}

void BytePairEncoder::encode_word(std::string_view word, std::vector<std::int32_t>& out) const {
  if (ignore_merges) {
    if (const auto token = vocabulary.find(spell_bytes(word))) {
      out.push_back(*token);
      return;
    }
  }
  if (word.size() <= kShortWord && covers_all_bytes_) {
    std::int32_t symbols[kShortWord];
    for (std::size_t i = 0; i < word.size(); ++i) symbols[i] = byte_tokens_[static_cast<unsigned char>(word[i])];
    const std::size_t count = merge_short_word(merges, symbols, word.size());
    out.insert(out.end(), symbols, symbols + count);
    return;
  }
  std::vector<std::int32_t> symbols = initial_symbols(word);
  if (!symbols.empty()) LongWordMerger(merges, std::move(symbols)).run(out);
}

}  // namespace strata::text
