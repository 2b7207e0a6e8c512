// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "codegen/program.h"
#include "ir/expr.h"
#include "machine/machine.h"

namespace strata::compile {

// What the passes of one compilation share.
struct PassContext {
  const machine::Machine& machine;
  std::vector<std::string> without;  // passes and searches that are switched off
  std::filesystem::path dump;        // folder; empty: no dumps
  std::string dump_prefix;           // "seq1-"
  int dumped = 0;                    // numbers the files
};

// A pass over modules: its name switches it off (--without) and selects it (opt --passes).
struct Pass {
  std::string_view name;
  std::string_view what;  // one line for people
  std::function<ir::Module(const ir::Module&, const PassContext&)> run;
};

// All passes, in the order in which a compilation runs them.
const std::vector<Pass>& passes();

// Throws usage_error listing the names when one of `names` is no pass.
void check_pass_names(const std::vector<std::string>& names);

// The one place where passes run: skips those switched off, verifies each result, dumps it if it changed
// ("seq1-02-vectorize.ir").
ir::Module run_passes(ir::Module module, PassContext& context);

// A version of the program for a range of run-time sizes.
struct Specialisation {
  std::string tag;                            // "seq1"
  std::map<std::string, ir::Symbol> symbols;  // replaces the symbols of these names
  std::vector<std::string> entries;           // functions that it is made for
};

// The default plan: one token (decoding), and up to a whole chunk (prefill); for logits of many rows, 64 at a time.
std::vector<Specialisation> default_specialisations(const ir::Module& module);

// Specialise, run the passes, schedule, plan the buffers.
codegen::PlannedModule plan_module(const ir::Module& module, const Specialisation& specialisation,
                                   PassContext& context);

}  // namespace strata::compile
