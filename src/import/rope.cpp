// SPDX-License-Identifier: Apache-2.0
#include "import/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace strata::importer {
namespace {

double unscaled(const Rope& rope, std::int64_t pair) {
  const double exponent = -2.0 * static_cast<double>(pair) / static_cast<double>(rope.dims);
  return std::pow(rope.theta, exponent);
}

// Llama 3 leaves short waves alone, divides long ones by the factor, and interpolates between
// (Llama 3.1 release; the same formula as Hugging Face's rope_type "llama3").
double llama3_frequency(double frequency, const Rope& rope) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  const double context = static_cast<double>(rope.original_max_positions);
  if (wavelength < context / rope.high_freq_factor) return frequency;
  if (wavelength > context / rope.low_freq_factor) return frequency / rope.factor;
  const double smooth = (context / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - smooth) * frequency / rope.factor + smooth * frequency;
}

// The pair, as a real number, that turns so often in the original context.
double pair_of_turns(double turns, const Rope& rope) {
  const double wavelength = static_cast<double>(rope.original_max_positions) / (turns * 2 * std::numbers::pi);
  return static_cast<double>(rope.dims) * std::log(wavelength) / (2 * std::log(rope.theta));
}

// Pairs of many turns are kept, those of few divided by the factor, with a linear ramp over the pairs between.
double yarn_frequency(double frequency, std::int64_t pair, const Rope& rope) {
  double first = pair_of_turns(rope.beta_fast, rope), last = pair_of_turns(rope.beta_slow, rope);
  if (rope.truncate) first = std::floor(first), last = std::ceil(last);
  first = std::max(first, 0.0), last = std::min(last, static_cast<double>(rope.dims - 1));
  if (first == last) last += 0.001;
  const double divided = std::clamp((static_cast<double>(pair) - first) / (last - first), 0.0, 1.0);
  return divided * frequency / rope.factor + (1 - divided) * frequency;
}

double scaled(double frequency, std::int64_t pair, const Rope& rope) {
  switch (rope.kind) {
    case Rope::Kind::kLinear:
      return frequency / rope.factor;
    case Rope::Kind::kYarn:
      return yarn_frequency(frequency, pair, rope);
    case Rope::Kind::kLongrope:
      return frequency / rope.pair_factors[static_cast<std::size_t>(pair)];
    case Rope::Kind::kLlama3:
      return llama3_frequency(frequency, rope);
    case Rope::Kind::kDefault:
    case Rope::Kind::kDynamic:
      break;
  }
  return frequency;
}

}  // namespace

std::vector<float> rope_frequencies(const Rope& rope, std::int64_t head_dim) {
  std::vector<float> frequencies(static_cast<std::size_t>(head_dim / 2), 0.0F);
  for (std::int64_t pair = 0; pair < rope.dims / 2; ++pair) {
    const auto at = static_cast<std::size_t>(pair);
    double frequency = scaled(unscaled(rope, pair), pair, rope);
    if (!rope.divisors.empty()) frequency /= rope.divisors[at];
    frequencies[at] = static_cast<float>(frequency);
  }
  return frequencies;
}

std::vector<float> rope_amplitudes(const Rope& rope, std::int64_t head_dim) {
  std::vector<float> amplitudes(static_cast<std::size_t>(head_dim / 2), 1.0F);
  std::fill_n(amplitudes.begin(), rope.dims / 2, static_cast<float>(rope.amplitude));
  return amplitudes;
}

}  // namespace strata::importer
