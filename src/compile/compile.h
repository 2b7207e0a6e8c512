// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compile/contest.h"
#include "compile/memory_use.h"
#include "compile/workload.h"
#include "plan/plan.h"

namespace strata::compile {

// What decides the content of a package, beside the model.
struct CompileOptions {
  std::string machine = "native";    // a name in machines/, a file, or "native"
  std::string dtype = "keep";        // weights: keep, f32, f16, bf16, q8, q4
  std::string cache_type = "keep";   // keys and values of a context: keep (as the weights), f32, f16, bf16
  bool exact_activations = false;    // rows are not rounded to the codes that quantised weights meet
  std::vector<std::string> without;  // decisions switched off by name
  std::filesystem::path dump;        // folder for the IR after each pass and the generated C++; empty: none
  bool verify = false;               // read again what was read and remembered: weights, and the cached package
  int threads = 0;                   // compile jobs and packing threads; 0: all allowed
  int team = 0;                      // threads that the plan is for; 0: all allowed, at most the machine's cores
  Workload workload = {};            // that the plan is for
  double work = 1;                   // times the searches' limits
  bool needs_weights = true;         // false, of plan_model(): a folder may have config.json alone; no weight then has
                                     // an encoding that its values decide about
  bool explains = false;             // of plan_model(): the plan has what was weighed and left, and the arenas, too
  int ranks = 1;                     // processes that run the model together, each with a package of its own
  int rank = 0;                      // the one that the package is for
  Measure measure = {};              // runs candidates for tiles on this machine; none: those are taken as predicted
};

// Called with a stage's name and the fraction done in [0, 1].
using Progress = std::function<void(std::string_view stage, double done)>;

struct CompileReport {
  std::filesystem::path package;
  bool from_cache = false;
  std::string warning = {};       // of the model; empty: none, and where the package was in the cache
  std::string search_limit = {};  // why the search ended early: the package isn't kept in the cache; empty: it didn't
  std::optional<plan::Tuning> tuning = {};
  double import_s = 0, plan_s = 0, codegen_s = 0, toolchain_s = 0, pack_s = 0, total_s = 0;
};

// Compiles a Hugging Face folder into `output`, with its texts and its name. Throws model_error, toolchain_error,
// resource_error; leaves no partial file behind.
CompileReport compile_to_file(const std::filesystem::path& model, const std::filesystem::path& output,
                              const CompileOptions& options, const Progress& progress = {});

// What is decided before there is code.
struct ModelPlan {
  plan::Plan plan;
  MemoryUse memory;
  int threads = 1;                // of the team that it is for
  bool has_values = true;         // false: of the weights only shapes and types were known
  std::string warning = {};       // as CompileReport's
  std::string search_limit = {};  // as CompileReport's
};

// What compile_to_file() would decide, without making any code.
ModelPlan plan_model(const std::filesystem::path& model, const CompileOptions& options, const Progress& progress = {});

// Compiles into the cache, or finds there what was compiled from the same weights and geometry, options, machine and
// compiler, wherever the model lies; without any compiler, what another one made. Such a package has no texts and no
// name: they are the folder's. One that is damaged is made again, and one whose search met a limit always:
// with more work there may be a better plan tomorrow. A path that is a package already is returned as it is.
CompileReport compile_cached(const std::filesystem::path& model, const CompileOptions& options,
                             const Progress& progress = {});

}  // namespace strata::compile
