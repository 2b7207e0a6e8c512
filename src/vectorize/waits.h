// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "cost/division.h"
#include "cost/leaf.h"
#include "vectorize/program_graph.h"

namespace strata::vectorize {

// One of a class's nodes.
using NodeOf = std::pair<egraph::ClassId, std::size_t>;

// Which of a function's nodes need a barrier before them, and which of these barriers are the same one, before a plan
// is chosen.
//
// A barrier stands where an op's threads read what others of the team have made: where its division (cost/division.h)
// is not that of the op that makes what it reads. It lets all go on that wait for it. So every node has a level: the
// barriers that it may be behind, those of its operands and of what comes before it in the imported program. What waits
// for a node of level n waits for barrier n + 1, so that on a chain no number comes twice, whatever is chosen.
class Waits {
 public:
  Waits(const rules::TensorGraph& tensors, const FunctionGraph& function, const machine::Machine& machine);

  // A way to run a node: behind this barrier (0: none), which is enough unless one of these nodes is chosen.
  struct Way {
    int barrier = 0;
    std::vector<NodeOf> unless = {};
  };
  // At least one, and the last is always enough. `is_copy`: a view that is copied after all.
  std::vector<Way> ways(egraph::ClassId id, std::size_t number, bool is_copy);

 private:
  // A node that may have made a value, looking through views.
  struct Maker {
    NodeOf node;
    cost::Share share;
  };
  struct Code {
    const cost::Leaf* leaf = nullptr;  // nullptr: there is none
    cost::Division division = {};      // of what is no view
    bool is_view() const { return leaf != nullptr && leaf->domain == cost::Leaf::Domain::kView; }
    bool runs() const { return leaf != nullptr && !is_view(); }
  };
  // For the makers of one operand.
  struct Operand {
    std::vector<std::pair<int, NodeOf>> waited_for;  // by the barrier behind them
    bool is_certain = false;                         // whichever of them is chosen
  };

  void place_program();
  void set_place(egraph::ClassId id, int level);
  const std::vector<Maker>& makers(egraph::ClassId id);
  void find_makers(egraph::ClassId id, std::vector<egraph::ClassId>& seen, std::vector<Maker>& found);
  std::vector<Operand> operands(const NodeOf& node, const Code& code);
  int level(const NodeOf& node);
  int find_level(const NodeOf& node);
  int place(egraph::ClassId id) const;
  const Code& code(const NodeOf& node);
  Code find_code(const NodeOf& node, const cost::Leaf* leaf) const;

  const rules::TensorGraph& tensors_;
  const FunctionGraph& function_;
  const machine::Machine& machine_;
  std::map<NodeOf, Code> code_;
  std::map<egraph::ClassId, std::vector<Maker>> makers_;
  std::map<NodeOf, int> levels_;
  std::map<egraph::ClassId, int> places_;  // of the imported values and what they are views of: the level there
};

}  // namespace strata::vectorize
