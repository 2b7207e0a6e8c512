// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "buffer/buffer_plan.h"
#include "machine/machine.h"
#include "plan/plan.h"
#include "schedule/schedule.h"

namespace strata::codegen {

// Where every weight lies in the package's weights section.
class WeightMap {
 public:
  struct Entry {
    std::string name;
    ir::TensorType type;  // with the layout in which it is stored
    std::int64_t offset = 0;
    std::int64_t bytes = 0;
  };

  // Adds the module's weights in the order of their first use. A weight that is there already must have the same type.
  void add(const ir::Module& module);

  const Entry& at(const std::string& name) const { return entries_[index_.at(name)]; }
  const std::vector<Entry>& entries() const { return entries_; }
  std::int64_t total_bytes() const { return total_bytes_; }

 private:
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t> index_;
  std::int64_t total_bytes_ = 0;
};

// A module specialised to a range of its symbols, planned down to loops and places.
struct PlannedModule {
  ir::Module module;
  std::string tag;  // distinguishes the specialisations' C++ names: "seq1"
  std::vector<schedule::ScheduledFunction> schedule;
  std::map<const ir::Function*, buffer::FunctionPlan> buffers;
  plan::SearchStats stats;                                                 // of the search that chose the layouts
  std::map<const ir::Expr*, std::vector<plan::Alternative>> alternatives;  // of an op, that the search weighed
};

// Ids of a function's ops in its specialisation's profile are this plus their position in ScheduledFunction::ops; all
// functions of the module count, in its order. Views and calls have an id and leave no mark.
int first_op_id(const PlannedModule& planned, const ir::Function& function);

// One translation unit.
struct Unit {
  std::string file;  // "layer.seq1.cpp"
  std::string source;
};

// Names of the entry points' C functions: strata_forward_seq1.
std::string entry_symbol(const std::string& function, const std::string& tag);

// C++ of the given functions (and those they call), one unit per function. `entries` get C linkage and the signature of
// package::Entry; `symbols` is the order of the run-time sizes in that signature.
std::vector<Unit> generate(const PlannedModule& planned, const std::vector<std::string>& entries,
                           const std::vector<std::string>& symbols, const WeightMap& weights,
                           const machine::Machine& machine);

}  // namespace strata::codegen
