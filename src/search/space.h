// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace strata::search {

// A state of a problem, in words of the problem's own meaning. States are the same where their words are.
using State = std::vector<std::uint32_t>;

struct StateHash {
  std::size_t operator()(const State& state) const;
};

// A step from one state to another.
struct Move {
  State to;
  std::uint32_t place = 0;  // what it changes: a greedy search walks past the places once
  double estimate = 0;      // about how much it adds to the cost, known without costing the state
};

// What a search runs in. It asks for a state's moves and cost as often as it needs them; a state is costed once.
class Space {
 public:
  virtual ~Space() = default;

  virtual State start() = 0;

  // In an order that the state alone determines, by rising places. Without undos.
  virtual std::vector<Move> moves(const State& state) = 0;

  // Those that take back what moves did, in such an order too. With them each state may be left again.
  virtual std::vector<Move> undos(const State& state) = 0;

  virtual double cost(const State& state) = 0;
};

}  // namespace strata::search
