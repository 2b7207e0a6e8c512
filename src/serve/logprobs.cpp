// SPDX-License-Identifier: Apache-2.0
#include "serve/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace strata::serve {
namespace {

// JSON has no infinity; OpenAI writes this for what is impossible.
constexpr double kImpossible = -9999;

double known(float logit) {
  return std::isnan(logit) ? -std::numeric_limits<double>::infinity() : static_cast<double>(logit);
}

}  // namespace

TokenLogprobs token_logprobs(std::span<const float> logits, std::int32_t chosen, std::int64_t top) {
  double max = -std::numeric_limits<double>::infinity();
  for (const float logit : logits) max = std::max(max, known(logit));
  double sum = 0;
  for (const float logit : logits) sum += std::exp(known(logit) - max);
  const double log_sum = max + std::log(sum);
  const auto score = [&](std::int32_t token) {
    return TokenScore{token, std::max(kImpossible, known(logits[static_cast<std::size_t>(token)]) - log_sum)};
  };
  std::vector<std::int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto count = static_cast<std::ptrdiff_t>(std::min(static_cast<std::size_t>(top), ids.size()));
  std::partial_sort(ids.begin(), ids.begin() + count, ids.end(), [&](std::int32_t a, std::int32_t b) {
    const double of_a = known(logits[static_cast<std::size_t>(a)]), of_b = known(logits[static_cast<std::size_t>(b)]);
    return of_a != of_b ? of_a > of_b : a < b;
  });
  TokenLogprobs out{.chosen = score(chosen), .top = {}};
  for (std::ptrdiff_t i = 0; i < count; ++i) out.top.push_back(score(ids[static_cast<std::size_t>(i)]));
  return out;
}

}  // namespace strata::serve
