// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::cli {

// A figure and its standard error; the latter 0 of fewer than two samples.
struct Estimate {
  double value = 0, error = 0;
};

// -log softmax(logits)[token], in nats.
double negative_log_likelihood(std::span<const float> logits, std::int32_t token);

// e to the mean of the losses, negative log-likelihoods in nats; its error by the delta method.
Estimate perplexity(const std::vector<double>& losses);

// How far a model's next-token distributions are from those of another one, position by position: the Kullback-Leibler
// divergence sum(i) p[i] * log(p[i] / q[i]) in nats, p the other one's probabilities and q the model's; and whether
// both find the same token the likeliest.
class Divergence {
 public:
  // Logits of both at one position, in the same vocabulary.
  void add(std::span<const float> logits, std::span<const float> against);

  std::int64_t count() const { return static_cast<std::int64_t>(values_.size()); }
  Estimate mean() const;
  // For each share, from 0 to 1, the value that so many of all positions are below; between two neighbours
  // interpolated.
  std::vector<double> quantiles(std::span<const double> shares) const;
  // Share of the positions at which both have the same likeliest token.
  Estimate same_top() const;

 private:
  std::vector<double> values_;
  std::int64_t same_ = 0;
};

// The perplexity of the first losses less that of the second ones, of the same tokens.
Estimate perplexity_difference(const std::vector<double>& losses, const std::vector<double>& against);

}  // namespace strata::cli
