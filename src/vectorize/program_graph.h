// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cost/op_cost.h"
#include "ir/expr.h"
#include "ir/roles.h"
#include "rules/tensor_graph.h"

namespace strata::vectorize {

// Runs of one size, a part of the workload.
struct Step {
  double runs = 1;  // of each entry
  cost::Sizes sizes = {};
  std::vector<std::string> entries = {};  // empty: all of the version's
};

// A version of the program for a range of run-time sizes, and its part in the workload that the search plans for.
struct Version {
  std::string tag;                        // "seq1"
  const ir::Module* module = nullptr;     // the program for these sizes, once it is made
  std::vector<std::string> entries = {};  // functions that are called from outside
  std::vector<Step> steps = {{}};
  std::map<std::string, ir::Symbol> symbols = {};  // replaces the program's symbols of these names
  std::string spare = {};  // a later version that takes its rows too: its own plan must be faster
};

// One function of one version in the graph.
struct FunctionGraph {
  const Version* version = nullptr;
  const ir::Function* function = nullptr;
  const ir::FunctionRoles* roles = nullptr;
  double calls = 0;               // in a run of an entry, the most of all
  double copies = 1;              // of its constants: those that calls bind a parameter to, the most of all
  std::vector<double> runs = {};  // in each of the version's steps
  // Of results: nothing for a state that a callee updates.
  std::vector<std::optional<egraph::ClassId>> results;
  std::vector<egraph::ClassId> updates;  // calls that return such a state
  std::map<const ir::Expr*, egraph::ClassId> values;
};

// All functions of all versions in one e-graph, so that one extraction decides for all of them. What versions have in
// common, the constants and the states, is one leaf each; activations are leaves of their version.
class ProgramGraph {
 public:
  // `statistics` of the weights that encodings may hold.
  // With explanations the e-graph remembers why terms are equal.
  explicit ProgramGraph(std::vector<Version> versions, encoding::WeightStatistics statistics = {},
                        bool explanations = false);

  rules::TensorGraph& tensors() { return tensors_; }
  const rules::TensorGraph& tensors() const { return tensors_; }
  const std::vector<Version>& versions() const { return versions_; }
  const std::vector<FunctionGraph>& functions() const { return functions_; }
  const FunctionGraph& of(const ir::Function* function) const { return functions_[index_.at(function)]; }
  const ir::Roles& roles(const Version& version) const { return roles_.at(&version); }

 private:
  // A value of a function.
  struct Place {
    const ir::Function* function;
    const ir::Expr* value;
  };

  void add_functions(const Version& version);
  void add(FunctionGraph added);
  egraph::ClassId add_value(FunctionGraph& function, const ir::Expr& value);
  void bind_arguments(const Version& version);
  std::string leaf_name(const Version& version, const ir::Function& function, std::size_t parameter) const;
  rules::Elements elements_of(const Version& version, const Place& weight) const;

  std::vector<Version> versions_;
  encoding::WeightStatistics statistics_;
  // What calls in a module bind a function's parameters to, by the names of their leaves; equal values are there once.
  using Bindings = std::map<std::string, std::vector<Place>>;
  std::map<const ir::Module*, Bindings> arguments_;
  std::map<const Version*, ir::Roles> roles_;
  rules::TensorGraph tensors_;
  std::vector<FunctionGraph> functions_;
  std::map<const ir::Function*, std::size_t> index_;
};

}  // namespace strata::vectorize
