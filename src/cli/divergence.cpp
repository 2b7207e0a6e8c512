// SPDX-License-Identifier: Apache-2.0
#include "cli/divergence.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace strata::cli {
namespace {

double mean_of(const std::vector<double>& samples) {
  return std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
}

// Of the means of two samples that were drawn in pairs; of one sample with itself, the variance of its mean.
double covariance(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() < 2) return 0;
  const double mean_a = mean_of(a), mean_b = mean_of(b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean_a) * (b[i] - mean_b);
  const auto n = static_cast<double>(a.size());
  return sum / (n * (n - 1));
}

// log(sum(i) exp(logits[i])).
double log_sum(std::span<const float> logits) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum);
}

}  // namespace

double negative_log_likelihood(std::span<const float> logits, std::int32_t token) {
  return log_sum(logits) - logits[static_cast<std::size_t>(token)];
}

Estimate perplexity(const std::vector<double>& losses) {
  const double value = std::exp(mean_of(losses));
  return {value, value * std::sqrt(covariance(losses, losses))};
}

Estimate perplexity_difference(const std::vector<double>& losses, const std::vector<double>& against) {
  STRATA_CHECK(losses.size() == against.size(), "losses of other tokens");
  const double own = perplexity(losses).value, other = perplexity(against).value;
  const double variance = own * own * covariance(losses, losses) + other * other * covariance(against, against) -
                          2 * own * other * covariance(losses, against);
  return {own - other, std::sqrt(std::max(0.0, variance))};
}

void Divergence::add(std::span<const float> logits, std::span<const float> against) {
  STRATA_CHECK(logits.size() == against.size(), "logits of other vocabularies");
  const double own_sum = log_sum(logits), other_sum = log_sum(against);
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double log_p = against[i] - other_sum, log_q = logits[i] - own_sum, p = std::exp(log_p);
    if (p > 0) sum += p * (log_p - log_q);  // a logit may be minus infinity
  }
  values_.push_back(sum);
  const auto top = [](std::span<const float> row) { return std::ranges::max_element(row) - row.begin(); };
  if (top(logits) == top(against)) ++same_;
}

Estimate Divergence::mean() const { return {mean_of(values_), std::sqrt(covariance(values_, values_))}; }

std::vector<double> Divergence::quantiles(std::span<const double> shares) const {
  std::vector<double> sorted = values_, found;
  std::ranges::sort(sorted);
  for (const double share : shares) {
    const double place = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    found.push_back(sorted[below] + (sorted[above] - sorted[below]) * (place - static_cast<double>(below)));
  }
  return found;
}

Estimate Divergence::same_top() const {
  const auto n = static_cast<double>(count());
  const double share = static_cast<double>(same_) / n;
  return {share, count() < 2 ? 0 : std::sqrt(share * (1 - share) / (n - 1))};
}

}  // namespace strata::cli
