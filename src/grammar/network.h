// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "grammar/expression.h"
#include "grammar/program.h"

namespace strata::grammar {

// The states of all rules as they are being built, with their edges in lists.
struct Network {
  struct RuleEnds {
    std::uint32_t start = 0, end = 0;
  };
  std::vector<std::vector<Program::Edge>> edges;  // by state
  std::vector<std::uint32_t> rule_of;             // by state
  std::vector<RuleEnds> rules;
};

// Throws usage_error beyond the limits.
Network build_network(const Grammar& grammar);

}  // namespace strata::grammar
