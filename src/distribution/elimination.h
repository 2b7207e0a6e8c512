// SPDX-License-Identifier: Apache-2.0
// The cheapest choice of many variables whose costs are tables over a few of them each; knows no tensors.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace strata::distribution {

inline constexpr double kInfinite = std::numeric_limits<double>::infinity();

// A cost for every choice of the variables in its scope; infinite: not allowed.
struct Factor {
  std::vector<int> scope;     // variables, ascending
  std::vector<double> costs;  // the last variable's choice runs fastest
};

struct FactorGraph {
  std::vector<int> sizes;  // choices of each variable
  std::vector<Factor> factors;
};

struct Minimum {
  std::vector<int> choice;   // by variable
  double cost = 0;           // infinite: no choice is allowed
  std::int64_t entries = 0;  // of all tables that were filled: the work
  std::int64_t largest = 0;  // of one of them
};

// The exact minimum of the sum of all factors, by eliminating one variable after the other (bucket elimination:
// Dechter, Artificial Intelligence 113, 1999): the tables that touch it are added, and its best choice is kept for
// every choice of those beside it. Next is always the variable with the smallest table, so the same graph gives the
// same choice. Nothing where one of the tables would have more than `most` entries.
std::optional<Minimum> minimise(const FactorGraph& graph, std::int64_t most);

// What a choice costs.
double cost_of(const FactorGraph& graph, const std::vector<int>& choice);

}  // namespace strata::distribution
