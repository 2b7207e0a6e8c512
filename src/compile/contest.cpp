// SPDX-License-Identifier: Apache-2.0
#include "compile/contest.h"

#include <algorithm>

namespace strata::compile {
namespace {

constexpr double kLeastAdvantage = 0.01;

}  // namespace

std::vector<double> median_seconds(const Rounds& rounds) {
  std::vector<double> medians;
  for (std::vector<double> own : rounds) {
    const auto middle = own.begin() + std::ssize(own) / 2;
    std::ranges::nth_element(own, middle);
    medians.push_back(own.empty() ? 0 : *middle);
  }
  return medians;
}

std::size_t fastest_candidate(const Rounds& rounds) {
  std::size_t best = 0;
  double least = 1 - kLeastAdvantage;
  const std::size_t count = rounds.empty() ? 0 : rounds[0].size();
  if (count < kFewestRounds) return best;
  for (std::size_t candidate = 1; candidate < rounds.size(); ++candidate) {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < count; ++round)
      ratios.push_back(rounds[candidate].at(round) / rounds[0][round]);
    std::ranges::sort(ratios);
    const bool is_sure = ratios[count * 3 / 4] < 1;
    if (!is_sure || ratios[count / 2] >= least) continue;
    best = candidate;
    least = ratios[count / 2];
  }
  return best;
}

}  // namespace strata::compile
