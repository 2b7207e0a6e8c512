// SPDX-License-Identifier: Apache-2.0
#include "text/bpe.h"

#include <algorithm>
#include <queue>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/space_symbol.h"

namespace strata::text {
namespace {

// Up to this many symbols a word is merged by scanning for its best pair, beyond it with a priority queue.
constexpr std::size_t kShortWord = 48;
constexpr std::uint32_t kNoMerge = 0xFFFFFFFF;
constexpr char32_t kAscii = 0x80;

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

void BytePairEncoder::begin_with_bytes() {
  has_byte_symbols_ = true;
  for (std::size_t byte = 0; byte < direct_.size(); ++byte) {
    std::string spelling;
    append_utf8(spelling, character_of_byte(static_cast<unsigned char>(byte)));
    direct_[byte] = vocabulary_.find(spelling).value_or(-1);
  }
}

void BytePairEncoder::begin_with_characters() {
  begin_with_characters(std::vector<bool>(static_cast<std::size_t>(vocabulary_.size()), true));
}

void BytePairEncoder::begin_with_characters(const std::vector<bool>& is_symbol) {
  for (std::size_t index = 0; index < is_symbol.size(); ++index) {
    const auto id = static_cast<std::int32_t>(index);
    if (!is_symbol[index] || !vocabulary_.contains(id) || vocabulary_.token(id).empty()) continue;
    const std::string_view token = vocabulary_.token(id);
    const Decoded character = decode_utf8(token, 0);
    if (character.size != token.size()) continue;
    if (character.code_point < kAscii) {
      direct_[character.code_point] = id;
    } else {
      characters_[character.code_point] = id;
    }
  }
}

// A merge across such a place is one whose right part begins with U+2581 and whose left part ends otherwise. Where
// characters are dropped, others come together.
bool BytePairEncoder::may_cut_before_spaces() const {
  const bool keeps_all = unknown_token || (byte_fallback && byte_fallback->is_complete());
  if (has_byte_symbols_ || ignore_merges || !keeps_all || token_of(kSpaceSymbol) < 0) return false;
  return merges.none_of([&](std::int32_t left, std::int32_t right) {
    return vocabulary_.token(right).starts_with(kSpaceSymbolText) &&
           !vocabulary_.token(left).ends_with(kSpaceSymbolText);
  });
}

std::int32_t BytePairEncoder::token_of(char32_t character) const {
  if (character < kAscii) return direct_[character];
  const auto found = characters_.find(character);
  return found == characters_.end() ? -1 : found->second;
}

// An unknown token waits until the next symbol that is known by itself, as in Hugging Face's library: tokens of bytes
// overtake it.
void BytePairEncoder::append_symbols(std::string_view word, std::vector<std::int32_t>& out) const {
  bool unknown_waits = false;
  for (std::size_t pos = 0, size = 1; pos < word.size(); pos += size) {
    std::int32_t token = -1;
    if (has_byte_symbols_) {
      token = direct_[static_cast<unsigned char>(word[pos])];
    } else {
      const Decoded character = decode_utf8(word, pos);
      size = character.size;
      token = token_of(character.code_point);
    }
    if (token >= 0) {
      if (std::exchange(unknown_waits, false)) out.push_back(*unknown_token);
      out.push_back(token);
    } else if (!(byte_fallback && byte_fallback->append(word.substr(pos, size), out)) && unknown_token) {
      if (unknown_waits && !fuse_unknown) out.push_back(*unknown_token);
      unknown_waits = true;
    }
  }
  if (unknown_waits) out.push_back(*unknown_token);
}

void BytePairEncoder::encode_word(std::string_view word, std::vector<std::int32_t>& out) const {
  if (ignore_merges) {
    if (const auto token = vocabulary_.find(has_byte_symbols_ ? spell_bytes(word) : std::string(word))) {
      out.push_back(*token);
      return;
    }
  }
  const std::size_t before = out.size();
  append_symbols(word, out);
  const std::size_t count = out.size() - before;
  if (count <= kShortWord) {
    out.resize(before + merge_short_word(merges, out.data() + before, count));
    return;
  }
  std::vector<std::int32_t> symbols(out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
  out.resize(before);
  LongWordMerger(merges, std::move(symbols)).run(out);
}

}  // namespace strata::text
