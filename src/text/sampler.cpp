// SPDX-License-Identifier: Apache-2.0
#include "text/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace strata::text {
namespace {

constexpr float kImpossible = -std::numeric_limits<float>::infinity();

// e^(logit - max) at a temperature; an infinite maximum takes everything.
double weight(float logit, float max, double temperature) {
  if (logit == max) return 1;
  if (!std::isfinite(max)) return 0;
  return std::exp((static_cast<double>(logit) - static_cast<double>(max)) / temperature);
}

}  // namespace

bool are_numbers(std::span<const float> logits) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  bool is_wrong = false, is_any_finite = false;
  for (const float logit : logits) {
    is_wrong |= !(logit < kInfinity);
    is_any_finite |= logit > -kInfinity;
  }
  return !is_wrong && is_any_finite;
}

Sampler::Sampler(const SamplingParameters& parameters) : parameters_(parameters), random_(parameters.seed) {}

std::int32_t Sampler::sample(std::span<const float> logits, const grammar::TokenMask* allowed) {
  STRATA_CHECK(!logits.empty(), "there are no logits to sample from");
  std::vector<Candidate> candidates(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    candidates[i] = {std::isnan(logits[i]) ? kImpossible : logits[i], static_cast<std::int32_t>(i)};
  }
  penalize(candidates);
  if (allowed != nullptr) {
    std::erase_if(candidates, [&](const Candidate& one) { return !allowed->has(static_cast<std::size_t>(one.id)); });
    if (candidates.empty()) return -1;
  }
  // The negation catches a NaN temperature.
  if (!(parameters_.temperature > 0)) {
    return std::max_element(candidates.begin(), candidates.end(),
                            [](const Candidate& a, const Candidate& b) { return a.logit < b.logit; })
        ->id;
  }
  keep_top_k(candidates);
  keep_top_p(candidates);
  keep_min_p(candidates);
  return draw(candidates);
}

void Sampler::accept(std::int32_t token) {
  accept_prompt(token);
  if (parameters_.presence_penalty != 0 || parameters_.frequency_penalty != 0) ++chosen_count_[token];
}

void Sampler::accept_prompt(std::int32_t token) {
  if (parameters_.repeat_last_n == 0 || parameters_.repeat_penalty == 1.0f) return;
  recent_.push_back(token);
  ++recent_count_[token];
  if (parameters_.repeat_last_n > 0 && recent_.size() > static_cast<std::size_t>(parameters_.repeat_last_n)) {
    const auto oldest = recent_count_.find(recent_.front());
    if (--oldest->second == 0) recent_count_.erase(oldest);
    recent_.pop_front();
  }
}

void Sampler::penalize(std::vector<Candidate>& candidates) const {
  for (const auto& [token, bias] : parameters_.bias) {
    if (token >= 0 && static_cast<std::size_t>(token) < candidates.size()) candidates[token].logit += bias;
  }
  for (const auto& [token, count] : recent_count_) {
    if (token < 0 || static_cast<std::size_t>(token) >= candidates.size()) continue;
    float& logit = candidates[token].logit;
    logit = logit > 0 ? logit / parameters_.repeat_penalty : logit * parameters_.repeat_penalty;
    if (std::isnan(logit)) logit = kImpossible;
  }
  for (const auto& [token, count] : chosen_count_) {
    if (token < 0 || static_cast<std::size_t>(token) >= candidates.size()) continue;
    candidates[token].logit -= parameters_.presence_penalty + parameters_.frequency_penalty * static_cast<float>(count);
  }
}

// Leaves the candidates in order, the likeliest first.
void Sampler::keep_top_k(std::vector<Candidate>& candidates) const {
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  const std::size_t all = candidates.size();
  const std::size_t keep = parameters_.top_k <= 0 ? all : std::min(all, static_cast<std::size_t>(parameters_.top_k));
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(keep), candidates.end(),
                    likelier);
  candidates.resize(keep);
}

void Sampler::keep_top_p(std::vector<Candidate>& candidates) const {
  if (!(parameters_.top_p < 1)) return;
  double total = 0;
  for (const Candidate& candidate : candidates) total += weight(candidate.logit, candidates[0].logit, 1);
  double sum = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    sum += weight(candidates[i].logit, candidates[0].logit, 1);
    if (sum >= static_cast<double>(parameters_.top_p) * total) {
      candidates.resize(i + 1);
      return;
    }
  }
}

void Sampler::keep_min_p(std::vector<Candidate>& candidates) const {
  if (!(parameters_.min_p > 0)) return;
  const float max = candidates[0].logit;
  const auto too_unlikely = [&](const Candidate& candidate) {
    return candidate.logit != max && weight(candidate.logit, max, 1) < static_cast<double>(parameters_.min_p);
  };
  std::erase_if(candidates, too_unlikely);
}

std::int32_t Sampler::draw(const std::vector<Candidate>& candidates) {
  const double temperature = static_cast<double>(parameters_.temperature);
  const float max = candidates[0].logit;
  double total = 0;
  for (const Candidate& candidate : candidates) total += weight(candidate.logit, max, temperature);
  // The distributions of <random> differ between standard libraries; 53 random bits as a fraction do not.
  const double target = static_cast<double>(random_() >> 11) * 0x1.0p-53 * total;
  double sum = 0;
  for (const Candidate& candidate : candidates) {
    sum += weight(candidate.logit, max, temperature);
    if (target < sum) return candidate.id;
  }
  return candidates[0].id;
}

}  // namespace strata::text
