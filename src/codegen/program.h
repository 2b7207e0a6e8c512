// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "buffer/buffer_plan.h"
#include "encoding/encoding.h"
#include "machine/machine.h"
#include "schedule/schedule.h"
#include "vectorize/program_graph.h"
#include "vectorize/rebuild.h"

namespace strata::codegen {

// Where every constant lies in the package's weights section: the weights, and the expressions of weights alone
// (joined, packed, scaled ...), each stored once however many functions and modules use it.
class WeightMap {
 public:
  struct Entry {
    std::string name;  // for people, unique: "q.weight + k.weight"
    const ir::Expr* constant = nullptr;
    ir::TensorType type;  // with the layout in which it is stored
    std::int64_t offset = 0;
    std::int64_t bytes = 0;
    encoding::Fit fit = {};  // of an encoded one
  };

  // How its encoding holds a constant.
  using FitSource = std::function<encoding::Fit(const ir::Expr& constant)>;

  // Adds the constants that the code of these functions, and of those they call, reads, in the order of their first
  // use. `fit_of` is asked for those in an encoding. The module must outlive this map.
  void add(const ir::Module& module, const std::vector<std::string>& functions, const FitSource& fit_of = {});

  // The same places with other constants of the same types, whose values are stored there.
  WeightMap with_constants(const std::function<const ir::Expr*(const ir::Expr& constant)>& other) const;

  // The constant must have been added, by this module or another one.
  const Entry& at(const ir::Expr& constant) const;
  const std::vector<Entry>& entries() const { return entries_; }
  std::int64_t total_bytes() const { return total_bytes_; }

 private:
  void add(const ir::Expr& constant, const FitSource& fit_of);
  std::string unused_name(const ir::Expr& constant);

  std::vector<Entry> entries_;
  std::map<std::string, std::size_t> index_;  // by the constant's text
  std::set<std::string> names_;
  std::int64_t total_bytes_ = 0;
};

// The functions of these names and all that they call, directly or not.
std::set<const ir::Function*> reachable(const ir::Module& module, const std::vector<std::string>& functions);

// A version of the program (vectorize::Version) planned down to loops and places.
struct PlannedVersion {
  vectorize::Version version;  // whose tag distinguishes the versions' C++ names; without its module
  ir::Module module;
  std::vector<schedule::ScheduledFunction> schedule;
  std::map<const ir::Function*, buffer::FunctionPlan> buffers;
  plan::SearchStats stats;               // of the search that chose the layouts
  vectorize::Alternatives alternatives;  // of its ops
};

// Ids of a function's ops in its version's profile are this plus their position in ScheduledFunction::ops; all
// functions of the module count, in its order. Views and calls have an id and leave no mark.
int first_op_id(const PlannedVersion& planned, const ir::Function& function);

// One translation unit.
struct Unit {
  std::string file;  // "layer.seq1.cpp"
  std::string source;
};

// Names of the entry points' C functions: strata_forward_seq1.
std::string entry_symbol(const std::string& function, const std::string& tag);

// C++ of the given functions (and those they call), one unit per function and its versions, which share most of what
// the compiler makes of the tensor library. `entries` get C linkage and the signature of
// package::Entry; `symbols` is the order of the run-time sizes in that signature.
std::vector<Unit> generate(const PlannedVersion& planned, const std::vector<std::string>& entries,
                           const std::vector<std::string>& symbols, const WeightMap& weights,
                           const machine::Machine& machine);

}  // namespace strata::codegen
