// SPDX-License-Identifier: Apache-2.0
#include "serve/chunk_sizer.h"

#include <algorithm>
#include <iterator>

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
    double& known = decoding_s_[decoding];
    known = known == 0 ? seconds : known + kNewest * (seconds - known);
    return;
  }
  // The end of a prompt says nothing of a full chunk.
  if (decoding_s_.empty() || tokens < size_) return;
  const double alone_s = decoding_s(decoding);
  const double chunk_s = seconds - alone_s;
  if (chunk_s > alone_s) size_ = std::max(least_, size_ / 2);
  if (chunk_s < alone_s / 2) size_ = std::min(most_, size_ * 2);
}

double ChunkSizer::decoding_s(std::int64_t decoding) const {
  const auto more = decoding_s_.lower_bound(decoding);
  return more == decoding_s_.begin() || (more != decoding_s_.end() && more->first == decoding)
             ? more->second
             : std::prev(more)->second;
}

}  // namespace strata::serve
