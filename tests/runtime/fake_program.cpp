// SPDX-License-Identifier: Apache-2.0
// Parameters of forward: cache (state), positions, tokens, hidden. Of head: logits, hidden. Symbols: ctx, seq.
#include "tests/runtime/fake_program.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensor/team.h"

namespace {

using strata::tensor::Range;
using strata::tensor::Team;

struct Arguments {
  void* const* parameters;
  const std::int64_t* symbols;
  std::byte* arena;
  const std::byte* weights;

  template <class T>
  T* at(int index) const {
    return static_cast<T*>(parameters[index]);
  }
  std::int64_t ctx() const { return symbols[0]; }
  std::int64_t seq() const { return symbols[1]; }
  float weight(int index) const { return reinterpret_cast<const float*>(weights)[index]; }
};

bool holds_own(const Team& team) {
  for (std::int64_t i = 0; i < fake::kScratch; ++i) {
    if (team.scratch[i] != static_cast<std::byte>(team.rank + 1)) return false;
  }
  return reinterpret_cast<std::uintptr_t>(team.scratch) % 64 == 0;
}

// Makes so many rows of hidden.
void forward(const Team& team, const Arguments& with, float entry, std::int64_t rows) {
  auto* const cache = with.at<std::int32_t>(0);
  auto* const positions = with.at<const std::int32_t>(1);
  auto* const tokens = with.at<const std::int32_t>(2);
  auto* const ranks = reinterpret_cast<std::int32_t*>(with.arena);
  const Range mine = team.split(with.seq());
  ranks[team.rank] = 1;
  std::memset(team.scratch, team.rank + 1, fake::kScratch);
  for (std::int64_t i = mine.begin; i < mine.end; ++i) cache[positions[i]] = tokens[i];
  team.sync();
  team.mark(fake::kFill);
  std::int32_t members = 0;
  for (int rank = 0; rank < team.size; ++rank) members += ranks[rank];
  if (!holds_own(team)) members = -1;
  for (std::int64_t i = mine.begin; i < mine.end && i < rows; ++i) {
    std::int64_t checksum = 0;
    for (std::int64_t p = 0; p <= positions[i]; ++p) checksum += (p + 1) * cache[p];
    float* const hidden = with.at<float>(3) + i * fake::kHidden;
    hidden[fake::kChecksum] = static_cast<float>(checksum);
    hidden[fake::kSeq] = static_cast<float>(with.seq());
    hidden[fake::kCtx] = static_cast<float>(with.ctx());
    hidden[fake::kEntry] = entry;
    hidden[fake::kPosition] = static_cast<float>(positions[i]);
    hidden[fake::kRanks] = static_cast<float>(members);
    hidden[fake::kWeight] = with.weight(0);
    hidden[fake::kRow] = static_cast<float>(i);
  }
  team.sync();
  team.mark(fake::kHiddenRows);
  ranks[team.rank] = 0;
}

// The sum over the rows that a token's pages have before it.
std::int64_t paged_checksum(const std::int32_t* cache, const std::int32_t* pages, std::int64_t position) {
  std::int64_t sum = 0;
  for (std::int64_t p = 0; p <= position; ++p)
    sum += (p + 1) * cache[pages[p / fake::kPage] * fake::kPage + p % fake::kPage];
  return sum;
}

// Parameters: cache, positions, tokens, rows, the pages of all tokens or of each, hidden. Symbols: ctx, seq, pages.
void paged_forward(const Team& team, const Arguments& with, float entry, bool is_each) {
  auto* const cache = with.at<std::int32_t>(0);
  const auto* const positions = with.at<const std::int32_t>(1);
  const auto* const rows = with.at<const std::int32_t>(3);
  const auto* const pages = with.at<const std::int32_t>(4);
  if (team.rank == 0) {
    for (std::int64_t i = 0; i < with.seq(); ++i) cache[rows[i]] = with.at<const std::int32_t>(2)[i];
    for (std::int64_t i = 0; i < with.seq(); ++i) {
      float* const hidden = with.at<float>(5) + i * fake::kHidden;
      const std::int32_t* const own = pages + (is_each ? i * with.symbols[2] : 0);
      hidden[fake::kChecksum] = static_cast<float>(paged_checksum(cache, own, positions[i]));
      hidden[fake::kSeq] = static_cast<float>(with.seq());
      hidden[fake::kCtx] = static_cast<float>(with.ctx());
      hidden[fake::kEntry] = entry;
      hidden[fake::kPosition] = static_cast<float>(positions[i]);
      hidden[fake::kRow] = static_cast<float>(i);
    }
  }
  team.sync();
}

int head_calls = 0;

}  // namespace

extern "C" {

extern const char strata_contract[sizeof(fake::kNoContract)];
const char strata_contract[] = "-the test writes a contract here-";

void fake_forward_one(const Team& team, void* const* parameters, const std::int64_t* symbols, std::byte* arena,
                      const std::byte* weights) {
  forward(team, {parameters, symbols, arena, weights}, 1, symbols[1]);
}

void fake_forward_many(const Team& team, void* const* parameters, const std::int64_t* symbols, std::byte* arena,
                       const std::byte* weights) {
  forward(team, {parameters, symbols, arena, weights}, 2, symbols[1]);
}

void fake_forward_first_row(const Team& team, void* const* parameters, const std::int64_t* symbols, std::byte* arena,
                            const std::byte* weights) {
  forward(team, {parameters, symbols, arena, weights}, 3, 1);
}

// Has no hidden.
void fake_forward_no_row(const Team& team, void* const* parameters, const std::int64_t* symbols, std::byte* arena,
                         const std::byte* weights) {
  forward(team, {parameters, symbols, arena, weights}, 4, 0);
}

void fake_forward_paged(const Team& team, void* const* parameters, const std::int64_t* symbols, std::byte* arena,
                        const std::byte* weights) {
  paged_forward(team, {parameters, symbols, arena, weights}, 5, false);
}

void fake_forward_each(const Team& team, void* const* parameters, const std::int64_t* symbols, std::byte* arena,
                       const std::byte* weights) {
  paged_forward(team, {parameters, symbols, arena, weights}, 6, true);
}

void fake_head(const Team& team, void* const* parameters, const std::int64_t* symbols, std::byte* arena,
               const std::byte* weights) {
  const Arguments with{parameters, symbols, arena, weights};
  if (team.rank == 0) ++head_calls;
  team.sync();
  const Range mine = team.split(fake::kVocab);
  for (std::int64_t i = 0; i < with.seq(); ++i) {
    const float* const hidden = with.at<const float>(1) + i * fake::kHidden;
    float* const logits = with.at<float>(0) + i * fake::kVocab;
    for (std::int64_t v = mine.begin; v < mine.end; ++v) {
      logits[v] = v < fake::kHidden       ? hidden[v]
                  : v == fake::kHeadSeq   ? static_cast<float>(with.seq())
                  : v == fake::kHeadCalls ? static_cast<float>(head_calls)
                                          : static_cast<float>(v) + with.weight(1);
    }
  }
}

}  // extern "C"
