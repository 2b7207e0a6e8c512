// SPDX-License-Identifier: Apache-2.0
#include "serve/generation.h"

#include <utility>

namespace strata::serve {

std::optional<Generation::Piece> Generation::take() {
  const std::lock_guard lock(mutex_);
  if (has_pending_) {
    has_pending_ = false;
    return std::exchange(pending_, {});
  }
  if (error_) throw *error_;
  return std::nullopt;
}

void Generation::add(std::string text, std::optional<TokenLogprobs> logprobs) {
  if (text.empty() && !logprobs) return;
  {
    const std::lock_guard lock(mutex_);
    pending_.text += text;
    if (logprobs) pending_.logprobs.push_back(std::move(*logprobs));
    has_pending_ = true;
  }
  news_->ring();
}

void Generation::finish_embedding(std::span<const float> hidden) {
  {
    const std::lock_guard lock(mutex_);
    pending_.hidden.assign(hidden.begin(), hidden.end());
    pending_.end = text::EndOfText::kLimit;
    has_pending_ = true;
  }
  news_->ring();
}

void Generation::finish(text::EndOfText end, std::string rest, std::int64_t made, const std::string& stop) {
  {
    const std::lock_guard lock(mutex_);
    made_ = made;
    pending_.text += rest;
    pending_.end = end;
    pending_.stop = stop;
    has_pending_ = true;
  }
  news_->ring();
}

void Generation::fail(ApiError error) {
  {
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
  }
  news_->ring();
}

}  // namespace strata::serve
