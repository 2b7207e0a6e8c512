// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace strata::importer {

// Rotary position embedding of a head's first `dims` dimensions, and how it is stretched to contexts beyond those of
// the first training.
struct Rope {
  enum class Kind {
    kDefault,
    kLinear,    // positions divided by the factor
    kDynamic,   // beyond max_positions alone, to which a context is limited: up to there as kDefault
    kYarn,      // Peng et al., arXiv 2309.00071
    kLongrope,  // Ding et al., arXiv 2402.13753: each pair's frequency divided by a number of the model's
    kLlama3,    // the Llama 3.1 release
  };
  Kind kind = Kind::kDefault;
  std::int64_t dims = 0;  // even
  double theta = 10000.0;
  double factor = 1.0;
  std::int64_t original_max_positions = 0;
  double low_freq_factor = 1.0;      // kLlama3
  double high_freq_factor = 1.0;     // kLlama3
  double beta_fast = 32.0;           // kYarn: turns in the original context from which on a frequency is kept
  double beta_slow = 1.0;            // kYarn: turns down from which it is divided by the factor
  bool truncate = true;              // kYarn: the pairs of these turns are whole numbers
  std::vector<double> pair_factors;  // kLongrope, by pair
  double amplitude = 1.0;            // of the rotated dimensions of q and of k
  std::vector<float> divisors;       // of each pair's frequency, where the model has such a tensor
};

// Rotations per token of each of the pairs of a head with so many dimensions, [head_dim / 2]: first the rotated ones,
// theta^(-2i/dims), stretched as the kind says; 0 of the others. Computed in f64, rounded to f32 at the end.
std::vector<float> rope_frequencies(const Rope& rope, std::int64_t head_dim);

// What the pairs' sines and cosines are multiplied by, [head_dim / 2]: the amplitude of the rotated ones, 1 of others.
std::vector<float> rope_amplitudes(const Rope& rope, std::int64_t head_dim);

}  // namespace strata::importer
