// SPDX-License-Identifier: Apache-2.0
#include "cli/lookahead.h"

#include <algorithm>
#include <utility>

namespace strata::cli {

Lookahead::Lookahead(runtime::Session& session, Costs costs, std::span<const std::int32_t> before)
    : session_(session), costs_(std::move(costs)), position_(session.position()) {
  draft_.push(before);
}

Lookahead::~Lookahead() { settle(); }

// Of the guesses that stand in the session those that were right are the text's, the others go.
void Lookahead::settle() {
  if (!verified_.empty()) {
    budget_->took(verified_.size(), used_);
    right_ += static_cast<std::int64_t>(used_);
  }
  verified_.clear();
  used_ = 0;
  if (session_.position() > position_) session_.rewind(position_);
}

std::span<const float> Lookahead::verify(std::int32_t token, std::span<const std::int32_t> guess) {
  verified_.assign(guess.begin(), guess.end());
  guessed_ += std::ssize(guess);
  std::vector<std::int32_t> tokens = {token};
  tokens.insert(tokens.end(), guess.begin(), guess.end());
  rows_.clear();
  session_.feed_all(
      tokens, [&](std::span<const float> rows, std::int64_t) { rows_.insert(rows_.end(), rows.begin(), rows.end()); });
  return std::span(rows_).first(rows_.size() / tokens.size());
}

std::span<const float> Lookahead::feed(std::int32_t token, const std::function<bool()>& stop) {
  draft_.push(token);
  if (used_ < verified_.size() && verified_[used_] == token) {
    ++used_;
    ++position_;
    const std::size_t vocabulary = rows_.size() / (verified_.size() + 1);
    return std::span(rows_).subspan(used_ * vocabulary, vocabulary);
  }
  settle();
  const auto room = static_cast<std::size_t>(session_.context() - position_ - 1);
  auto guess = draft_.guess(room);
  if (!guess.empty() && !budget_) budget_.emplace(costs_());
  if (!guess.empty()) guess = guess.first(budget_->worth(guess.size()));
  ++position_;
  if (!guess.empty()) return verify(token, guess);
  if (budget_) budget_->took(0, 0);
  return session_.feed({&token, 1}, {}, stop);
}

}  // namespace strata::cli
