// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "extract/exclusions.h"
#include "extract/extract.h"
#include "machine/machine.h"
#include "vectorize/program_graph.h"
#include "vectorize/value_times.h"
#include "vectorize/waits.h"

namespace strata::vectorize {

// What was chosen for a class: one of its nodes, or memory that holds its value when the program starts.
struct Choice {
  enum class Kind {
    kNone,    // not needed
    kNode,    // `node`, by its number among the class's nodes
    kStored,  // a constant in the package, or a state in this layout
  };
  Kind kind = Kind::kNone;
  std::size_t node = 0;
};

// The extraction problem of a saturated ProgramGraph, its solution, and what it says of each class.
//
// The objective is the predicted time of the workload by a team of threads: every op's cost, as the plan reports it
// (cost::op_cost), times its function's runs; the barriers between ops (Waits), each once for all that wait there; and
// the time to load each stored constant once from storage, so that a second packed copy of a weight must earn what it
// costs. What is computed from constants alone is free: it happens when the package is written. The stored constants
// and states fit the outermost memory; of a state exactly one layout exists.
//
// Throws model_error that names the op where the machine has code for no form of it that is in the graph.
class Selection {
 public:
  // What ops are taken to cost: each alone, as the plan then has them where no regions are joined; or maps and packings
  // as they are at best in a region of several ops, which begins no op and moves no value that another op has made.
  enum class Costs { kAlone, kInRegions };

  Selection(const ProgramGraph& program, const machine::Machine& machine, int threads = 1, Costs costs = Costs::kAlone);

  void solve(const extract::Options& options);
  // A choice of problem()'s classes with single nodes exchanged while it becomes cheaper.
  std::vector<int> improved(std::vector<int> choice) const;
  // Another choice than the cheapest one, of problem()'s classes.
  void choose(std::vector<int> choice);

  const extract::Problem& problem() const { return problem_; }
  const extract::Solution& solution() const { return solution_; }

  // Of a class where a running op needs it.
  Choice of(egraph::ClassId id) const;
  // Of a constant's class while the package is written: a node whose operands are constants.
  std::size_t constant_node(egraph::ClassId id) const;
  // The class that a state's result is kept as: the result itself, or a packed form of it.
  egraph::ClassId state_form(egraph::ClassId result) const;

  // Predicted seconds of one run of a node in a function; infinite where there is no code.
  double node_seconds(const egraph::ENode& node, egraph::ClassId id, const FunctionGraph& function,
                      const cost::Sizes& sizes) const;

 private:
  struct Option {
    Choice choice;
    egraph::ClassId form = 0;  // for the results of states
  };

  struct NodeWithoutCode {
    int cls;  // of the problem
    egraph::ClassId id;
    std::size_t node;
    const FunctionGraph* function;
  };

  int add_class() {
    problem_.classes.emplace_back();
    options_.emplace_back();
    return static_cast<int>(problem_.classes.size()) - 1;
  }
  int node_count(int cls) const { return static_cast<int>(problem_.classes[static_cast<std::size_t>(cls)].size()); }
  void add_node(int cls, double cost, std::vector<int> children, Option option);
  int running(egraph::ClassId id);   // the problem's class for a value at run time
  int constant(egraph::ClassId id);  // for a value while the package is written
  int stored(egraph::ClassId id);    // for a constant in the package
  int state_memory(egraph::ClassId leaf, const ir::Layout& layout);
  void add_function(const FunctionGraph& function);
  void add_running_nodes(egraph::ClassId id, int cls);
  void add_state_forms(egraph::ClassId result);
  std::set<egraph::ClassId> packed_by_readers(egraph::ClassId id) const;
  void find_state_layouts(const FunctionGraph& function);
  void add_stored(egraph::ClassId id, int cls);
  double workload_seconds(const egraph::ENode& node, egraph::ClassId id) const;
  double copy_seconds(egraph::ClassId id) const;  // in the workload
  bool is_result(const FunctionGraph& function, egraph::ClassId id) const;
  bool is_part(const egraph::ENode& node, egraph::ClassId id) const;
  bool is_copied_part(const egraph::ENode& node, egraph::ClassId id, const FunctionGraph& function) const;
  bool may_be_part(egraph::ClassId id);
  void add_node_of(egraph::ClassId id, std::size_t number, int cls);
  void exclude_parts();
  void check_code() const;
  double load_seconds(const ir::TensorType& type) const;
  double barrier_seconds(const FunctionGraph& function) const;
  int barrier(int number);  // the problem's class for a barrier of the function
  void add_waiting(egraph::ClassId id, int cls, double cost, const std::vector<int>& children, Option option,
                   bool is_copy);
  template <typename IsIt>
  void exclude(extract::Exclusions& exclusions, extract::Exclusions::NodeOf node, int cls, IsIt is_it) const;
  void exclude_short_waits();
  void add_barriers_around_calls();

  const rules::TensorGraph& tensors_;
  const machine::Machine& machine_;
  const int threads_;
  const Costs costs_;
  const FunctionGraph* function_ = nullptr;  // whose nodes are being added
  std::map<const FunctionGraph*, ValueTimes> times_;
  std::optional<Waits> waits_;  // of the function whose nodes are being added; one thread waits for none
  std::map<std::pair<const FunctionGraph*, int>, int> barriers_;
  extract::Problem problem_;
  std::vector<std::vector<Option>> options_;  // as problem_.classes
  std::vector<NodeWithoutCode> without_code_;
  std::map<egraph::ClassId, bool> may_be_part_;
  // Nodes of results (of the problem) that need no copy where the value of this class is memory of its own.
  struct FreeView {
    extract::Exclusions::NodeOf node;
    egraph::ClassId of;
  };
  std::vector<FreeView> free_views_;
  // Nodes (of the problem) that wait for too little where one of these is chosen.
  struct ShortWait {
    extract::Exclusions::NodeOf node;
    std::vector<NodeOf> unless;
  };
  std::vector<ShortWait> short_waits_;
  std::map<egraph::ClassId, int> running_;
  std::map<egraph::ClassId, int> constant_;
  std::map<egraph::ClassId, int> stored_;
  std::map<egraph::ClassId, int> state_results_;
  std::map<std::pair<egraph::ClassId, std::string>, int> state_memory_;
  std::map<egraph::ClassId, std::size_t> state_limits_;
  std::map<egraph::ClassId, std::set<std::string>> state_layouts_;  // that some reader wants, by leaf
  extract::Solution solution_;
};

}  // namespace strata::vectorize
