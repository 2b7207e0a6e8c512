// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "distribution/elimination.h"
#include "distribution/reshard.h"
#include "distribution/strategy.h"

namespace strata::distribution {

// Of each stored value (weights, caches) how it lies.
using Stored = std::map<int, State>;

// A reshard of a plan.
struct Move {
  int value = -1;
  int user = -1;  // node that wants it; -1: several, or the border of a layer
  State from, to;
  std::vector<Hop> hops;
  double count = 1;  // in a step
};

// One way of dividing a program for all phases, as code is made of it.
struct Division {
  struct Use {
    bool is_kept = false;  // it takes the value's second state, else the one in which it is made
    std::vector<Hop> hops;
  };
  Mesh mesh;
  std::vector<Strategy> nodes;                                   // by node
  std::vector<State> values;                                     // by value: as it is made, given, or lies
  std::map<std::pair<int, std::string>, std::vector<Hop>> kept;  // of a value in a function, to its second state
  std::vector<std::vector<Use>> uses;                            // by node and operand; none of constants
  std::vector<std::vector<Hop>> deliveries;                      // by delivery
};

// The variables of a plan for some phases, and what they cost. There is one variable for
//
//   - every node: its strategy, which says how it wants its operands and makes its result;
//   - every stored value: how it lies. A constant may be moved before it is used, a cache lies as its update wants it;
//   - every value that is carried from layer to layer;
//   - every value with several users: a second state in which it is kept for them, or none. It is there in the state in
//     which it is made too; a user that wants a third state moves it for itself.
//
// All costs are between a value's maker, its second state and one user, so the tables are small and follow the
// program's graph.
class Problem {
 public:
  Problem(const Graph& graph, const Mesh& mesh, const machine::Machine& machine, std::vector<Phase> phases);

  // Seconds of the workload, and `price` for each byte that is stored. `fixed`: only this way of storing.
  FactorGraph factors(double price, const Stored* fixed = nullptr) const;

  const std::vector<Phase>& phases() const { return phases_; }
  Stored stored(const std::vector<int>& choice) const;
  double least_bytes() const;  // that any way of storing takes on a device

  // Of a choice.
  const Strategy& strategy(int node, const std::vector<int>& choice) const;
  const State& state(int value, const std::vector<int>& choice) const;  // as it is made, or lies
  double seconds(int node, const std::vector<int>& choice, std::size_t phase) const;
  std::vector<Move> moves(const std::vector<int>& choice, std::size_t phase) const;
  Division division(const std::vector<int>& choice) const;
  double arena_bytes(const std::vector<int>& choice, std::size_t phase) const;
  std::optional<State> carried(const std::vector<int>& choice) const;

 private:
  struct Use {
    int node = -1;
    std::size_t operand = 0;
  };
  // A value's users in one function.
  struct Group {
    int value = -1;
    std::vector<Use> uses;
    int second = -1;             // variable; -1: one user
    std::vector<State> seconds;  // its choices; the first one stands for none
    double count = 1;
  };
  using Table = std::vector<std::vector<double>>;  // from, to

  void add_nodes();
  void add_stored();
  void add_groups();
  void add_costs();
  void add_use(const Group& group, const Use& use);
  void add_second(const Group& group);
  void add_delivery(const Delivery& delivery);
  void add_update(const Group& group, const Use& use);
  void add_factor(std::vector<int> variables, const std::function<double(const std::vector<int>&)>& cost);

  int maker(int value) const;  // variable; -1: it is given
  const std::vector<State>& made_states(int value) const;
  const State& wanted(const Use& use, int strategy) const;
  std::vector<State> wanted_states(const std::vector<Use>& uses) const;
  bool is_updated_by(int value, int node) const;
  Table table(int value, const std::vector<State>& from, const std::vector<State>& to, double count) const;
  Reshards& reshards(int value, std::size_t phase) const;
  std::vector<Hop> hops(int value, const State& from, const State& to, std::size_t phase) const;
  const State* second_state(const Group& group, const std::vector<int>& choice) const;
  bool takes_second(const Group& group, const Use& use, const std::vector<int>& choice, std::size_t phase) const;

  const Graph& graph_;
  const Mesh& mesh_;
  const machine::Machine& machine_;
  std::vector<Phase> phases_;
  std::vector<int> sizes_;
  std::vector<std::vector<Strategy>> strategies_;  // by node, whose variables come first
  std::map<int, int> variables_;                   // of stored and carried values
  std::vector<std::vector<State>> states_;         // by value: choices of its maker
  std::vector<Group> groups_;
  std::vector<Factor> factors_;
  mutable std::map<std::pair<int, std::size_t>, Reshards> reshards_;  // by value and phase
};

// Bytes of a value on the device with the most of it, all copies.
double stored_bytes(const Value& value, const State& state, const Mesh& mesh, const Phase& phase);

}  // namespace strata::distribution
