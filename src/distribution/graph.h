// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ir/expr.h"

namespace strata::distribution {

// A tensor of the program.
struct Value {
  enum class Kind {
    kMade,      // by a node, in every step
    kGiven,     // all devices have it whole: tokens, positions, and what follows from them before the layers
    kCarried,   // from layer to layer: at each border it lies in one and the same way
    kHandedOn,  // to a function behind, where only its last row is wanted
    kConstant,  // stored; how it lies is a decision
    kState,     // a cache: stored, and updated in place by one node
  };
  Kind kind = Kind::kMade;
  std::string name;
  ir::TensorType type;
  int node = -1;                            // kMade: that makes it
  int of = -1;                              // kHandedOn: the value that it is
  double copies = 1;                        // kConstant, kState: of it, as many as there are layers
  double bytes = 0;                         // kConstant: of one copy, as it is stored
  bool is_last = false;                     // it has only the rows that are wanted
  std::vector<std::int64_t> granules = {};  // by axis: its parts are multiples of so many elements; empty: of one
  bool is_constant() const { return kind == Kind::kConstant; }
};

// An op.
struct Node {
  const ir::Expr* op = nullptr;
  std::string name;           // "layer.q_proj"
  std::string function;       // "layer"
  std::vector<int> operands;  // values; -1: a scalar constant
  int result = -1;
  double count = 1;  // of it in a step
  bool is_last = false;
};

// A value that is wanted in one way, whatever the plan: as another value that is carried, or whole.
struct Delivery {
  int value = -1;
  int carried = -1;  // -1: whole
  double count = 1;  // in a step
};

// A program with each of its layers' functions once, as often as it is called.
struct Graph {
  // Of each function's expressions that are no constants the value, and of ops the node.
  std::map<std::pair<const ir::Function*, const ir::Expr*>, int> value_of;
  std::map<std::pair<const ir::Function*, const ir::Expr*>, int> node_of;
  std::vector<Value> values;
  std::vector<Node> nodes;  // operands before users
  std::vector<Delivery> deliveries;
};

// Of the entries that a step calls, one after the other: "forward", "head". The activation that an entry takes is the
// first result of the one before it, and only its last row is wanted there: as it is made, or, where `hands_on_whole`,
// each device has it whole. The module must outlive the graph.
Graph graph_of(const ir::Module& module, const std::vector<std::string>& entries, bool hands_on_whole = false);

}  // namespace strata::distribution
