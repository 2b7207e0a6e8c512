// SPDX-License-Identifier: Apache-2.0
#include "text/draft_budget.h"

#include <algorithm>

#include "base/error.h"

namespace strata::text {
namespace {

// Guesses before there were any: half of them right. A step later what was seen counts less.
constexpr double kPriorTried = 2, kPriorRight = 1, kFading = 0.9;
constexpr std::size_t kTrial = 2;  // guesses
constexpr double kMostSaved = 8;   // steps, which may be lost again

}  // namespace

DraftBudget::DraftBudget(std::vector<double> costs) : costs_(std::move(costs)) {
  STRATA_CHECK(!costs_.empty(), "a step has a cost");
}

std::size_t DraftBudget::worth(std::size_t guessed) const {
  guessed = std::min(guessed, most());
  if (guessed == 0 || lost_ > kMostLost * total_) return 0;
  const double chance = (right_ + kPriorRight) / (tried_ + kPriorTried);
  double tokens = 1, each = 1, best = 1 / costs_[0];
  std::size_t rows = 0;
  for (std::size_t k = 1; k <= guessed; ++k) {
    each *= chance;
    tokens += each;
    if (tokens / costs_[k] <= best) continue;
    best = tokens / costs_[k];
    rows = k;
  }
  return rows > 0 ? rows : std::min(guessed, kTrial);
}

void DraftBudget::took(std::size_t verified, std::size_t right) {
  tried_ = tried_ * kFading + static_cast<double>(right + (right < verified ? 1 : 0));
  right_ = right_ * kFading + static_cast<double>(right);
  const double singly = static_cast<double>(right + 1) * costs_[0];
  total_ += singly;
  lost_ = std::max(lost_ + costs_[verified] - singly, -kMostSaved * costs_[0]);
}

}  // namespace strata::text
