// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>

#include "cost/traffic.h"
#include "vectorize/program_graph.h"

namespace strata::vectorize {

// When the classes of a function's e-graph are made and used, before a plan is chosen: a value of the imported program
// in that program's order, any other one as soon as all is there that one of its nodes needs.
class ValueTimes {
 public:
  ValueTimes(const rules::TensorGraph& tensors, const FunctionGraph& function, const cost::ProgramOrder order);

  // What is touched between an operand's making and the run of a node that needs it and makes `result`.
  cost::Traffic since(egraph::ClassId operand, egraph::ClassId result) const;

 private:
  void settle(egraph::ClassId id);
  std::optional<int> inputs_of(const egraph::ENode& node) const;
  std::optional<int> made_at(egraph::ClassId id) const;

  const rules::TensorGraph& tensors_;
  cost::ProgramOrder order_;
  std::map<egraph::ClassId, int> made_;
  std::set<egraph::ClassId> imported_;
  std::set<std::pair<int, egraph::ClassId>> open_;
};

}  // namespace strata::vectorize
