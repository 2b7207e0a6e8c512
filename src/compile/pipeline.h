// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "codegen/program.h"
#include "compile/workload.h"
#include "encoding/statistics.h"
#include "ir/expr.h"
#include "machine/machine.h"
#include "vectorize/program_graph.h"

namespace strata::compile {

// What one compilation's passes share.
struct PassContext {
  const machine::Machine& machine;
  std::vector<std::string> without;            // passes, searches and rules that are switched off
  std::filesystem::path dump;                  // folder; empty: no dumps
  encoding::WeightStatistics statistics = {};  // of the weights whose contents are known
  double work = 1;                             // times the searches' limits
  int threads = 1;                             // of the team that the plan is for
  bool explains = false;                       // what was weighed and left is kept too
};

// The default plan: one token (decoding), and up to a whole chunk (prefill); for logits of many rows, 64 at a time.
// What the workload doesn't run counts a little, so that it is planned well too. Where the workload runs a few rows,
// they have a version of their own.
std::vector<vectorize::Version> default_versions(const ir::Module& module, const Workload& workload = {});

// Names that --without takes: "egraph" (no search at all), "fuse" (each op by itself), "joint" (no second extraction
// with what ops cost in regions), "mcts" (regions joined greedily), "order" (ops in the program's order), "each"
// (nothing computed by each thread), "rows" (all rows of a prompt are made: importer::DecoderOptions::wanted_rows),
// "split" (no context divided among threads), "tiles" (a product's by formulas: machine::Machine::has_fixed_tiles), and
// those of vectorize::search_names(). Throws usage_error with the nearest ones when one of `names` is none of them.
void check_switch_names(const std::vector<std::string>& names);

// Specialise; search algebra and layouts of all versions together; then, each by itself, schedule and plan the buffers.
// Where the second round of the search chose otherwise, that plan is made too, and the one that takes the workload less
// time is kept.
std::vector<codegen::PlannedVersion> plan_versions(const ir::Module& module, std::vector<vectorize::Version> versions,
                                                   const PassContext& context);

// Takes out the versions that aren't faster than their spare by the plans' costs.
void remove_slower_than_spare(std::vector<codegen::PlannedVersion>& planned, const PassContext& context);

// A pass from module to module, for `strata opt`.
struct Pass {
  std::string_view name;
  std::string_view what;  // one line for people
  std::function<ir::Module(const ir::Module&, const machine::Machine&)> run;
};

// All passes, in the order in which `opt` runs them.
const std::vector<Pass>& passes();

// Throws usage_error listing the names when one of `names` is no pass.
void check_pass_names(const std::vector<std::string>& names);

}  // namespace strata::compile
