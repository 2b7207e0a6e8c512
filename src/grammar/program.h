// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "grammar/expression.h"

namespace strata::grammar {

// A grammar as a network of states for each rule, whose edges take bytes, take nothing, or call a rule. From every
// state the end of its rule can be reached: what began as the grammar wants it can always be ended.
struct Program {
  struct Edge {
    enum class Kind : std::uint8_t { kBytes, kEmpty, kCall };
    Kind kind = Kind::kEmpty;
    std::uint8_t first = 0, last = 0;  // kBytes
    std::uint32_t target = 0;
    std::uint32_t rule = 0;  // kCall
  };
  struct State {
    std::uint32_t edge_begin = 0, edge_end = 0;
    bool is_final = false;   // its rule may end here
    bool is_last = false;    // its rule can only end here
    bool has_bytes = false;  // an edge takes bytes
  };
  struct RuleInfo {
    std::uint32_t start = 0;
    std::uint32_t rank = 0;  // below those of the rules that it may call before it takes a byte
    bool is_nullable = false;
  };

  std::vector<State> states;
  std::vector<Edge> edges;
  std::vector<RuleInfo> rules;
  std::uint32_t root = 0;
  std::array<std::uint8_t, 256> byte_class{};  // bytes of one class go the same ways everywhere
  std::uint32_t byte_classes = 1;

  std::span<const Edge> edges_of(std::uint32_t state) const {
    return std::span(edges).subspan(states[state].edge_begin, states[state].edge_end - states[state].edge_begin);
  }
};

// Throws usage_error for left recursion, for a grammar that no text fulfils, and beyond the limits.
Program compile(const Grammar& grammar);

}  // namespace strata::grammar
