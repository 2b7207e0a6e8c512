// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <vector>

#include "tiles/tile_program.h"

namespace strata::tiles {

// Small programs in which trips, footprints and waits pull in different directions.
class RandomProgram {
 public:
  explicit RandomProgram(unsigned seed) : random_(seed) {}

  Program run(int most_variables = 4, int most_candidates = 6) {
    Program program;
    const int variables = below(1, most_variables);
    for (int i = 0; i < variables; ++i) {
      const std::vector<std::int64_t> all = tile_candidates(below(1, 400), below(1, 8));
      const auto most = std::min<std::size_t>(all.size(), static_cast<std::size_t>(below(1, most_candidates)));
      program.variables.push_back({"v" + std::to_string(i), {all.begin(), all.begin() + static_cast<long>(most)}});
    }
    program.contention = below(0, 3) * 0.25;
    const int times = below(1, 4), limits = below(0, 2);
    program.waits = sum(program.variables, 2);
    for (int i = 0; i < times; ++i) program.times.push_back(sum(program.variables, 3));
    for (int i = 0; i < limits; ++i) {
      program.limits.push_back({sum(program.variables, 2), 0});
      program.limits.back().most = real(20, 400);
    }
    return program;
  }

 private:
  int below(int least, int most) { return std::uniform_int_distribution(least, most)(random_); }
  double real(double least, double most) { return std::uniform_real_distribution(least, most)(random_); }

  // A size to some power, whole or a trip count's inverse, of each variable in a random scope.
  Sum sum(const std::vector<Variable>& variables, int most_terms) {
    Sum result;
    const int terms = below(0, most_terms);
    for (int i = 0; i < terms; ++i) {
      std::vector<int> scope;
      std::vector<double> powers;
      for (int v = 0; v < static_cast<int>(variables.size()); ++v) {
        if (below(0, 1) == 0) continue;
        scope.push_back(v);
        powers.push_back(below(-1, 1));
      }
      const double scale = real(0.5, 20);
      result.push_back(term(variables, scope, [&](std::span<const std::int64_t> sizes) {
        double value = scale;
        for (std::size_t j = 0; j < sizes.size(); ++j) value *= std::pow(static_cast<double>(sizes[j]), powers[j]);
        return value;
      }));
    }
    return result;
  }

  std::mt19937 random_;
};

// The times of all choices that keep the limits.
inline std::vector<double> all_times(const Program& program) {
  std::vector<double> times;
  std::vector<int> choice(program.variables.size(), 0);
  while (true) {
    if (keeps_limits(program, choice)) times.push_back(time_of(program, choice));
    std::size_t at = choice.size();
    while (at > 0 && ++choice[at - 1] == static_cast<int>(program.variables[at - 1].candidates.size()))
      choice[--at] = 0;
    if (at == 0) return times;
  }
}

// The least time of all choices; nothing: none keeps the limits.
inline std::optional<double> least_time(const Program& program) {
  const std::vector<double> times = all_times(program);
  return times.empty() ? std::nullopt : std::optional(*std::ranges::min_element(times));
}

}  // namespace strata::tiles
