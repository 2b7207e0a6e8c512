// SPDX-License-Identifier: Apache-2.0
#include "serve/chunk_sizer.h"

#include <algorithm>

namespace strata::serve {
namespace {

constexpr std::int64_t kLeast = 16;
constexpr std::int64_t kFirst = 64;
constexpr double kNewest = 0.25;  // the part of the newest step in what is remembered

}  // namespace

ChunkSizer::ChunkSizer(std::int64_t most)
    : most_(most), least_(std::min(most, kLeast)), size_(std::min(most, kFirst)) {}

void ChunkSizer::add(std::int64_t decoding, std::int64_t tokens, double seconds) {
  if (decoding == 0) return;
  if (tokens == 0) {
    const double one_s = seconds / static_cast<double>(decoding);
    decoding_s_ = decoding_s_ == 0 ? one_s : decoding_s_ + kNewest * (one_s - decoding_s_);
    return;
  }
  // The end of a prompt says nothing of a full chunk.
  if (decoding_s_ == 0 || tokens < size_) return;
  const double decoding_s = decoding_s_ * static_cast<double>(decoding);
  const double chunk_s = seconds - decoding_s;
  if (chunk_s > decoding_s) size_ = std::max(least_, size_ / 2);
  if (chunk_s < decoding_s / 2) size_ = std::min(most_, size_ * 2);
}

}  // namespace strata::serve
