// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "compile/compile.h"
#include "distribution/plan.h"

namespace strata::compile {

// What is decided for a model on a mesh of machines.
struct MeshPlan {
  machine::Machine machine;
  distribution::DistributionPlan plan;  // its mesh: the devices that are used
  Workload workload;                    // as planned: within the model's context
  double steps_of_prefill = 1;          // that all prompts take
  std::string warning = {};             // of the model; empty: none
};

// Whether plans for the machine are those for devices, for which there is no code: a mesh of several, or a machine for
// which no code is made. Throws as machine::load() and distribution::mesh_of() do.
bool is_planned_on_mesh(const std::string& machine);

// The workload with prompts and what is generated shortened in proportion, so that both together are no longer than the
// context.
Workload within(const Workload& workload, std::int64_t context);

// How the model is divided among the devices of options.machine, or fewer along an axis where that isn't slower, each
// with all of its cores. Of a folder config.json alone is read, and the weights' shapes; a workload that is too long is
// shortened. With options.ranks > 1 as so many ranks run it together (compile/rank_program.h). Throws model_error,
// resource_error where it doesn't fit.
MeshPlan plan_on_mesh(const std::filesystem::path& model, const CompileOptions& options);

// The workload's steps for a program whose symbols are `seq` and `ctx`: decoding a token of each sequence, and a chunk
// of as many prompts side by side as there are devices. A row sees on average half of its prompt; caches have room for
// all.
std::vector<distribution::Phase> phases_of(const Workload& workload, std::int64_t devices, std::int64_t max_chunk,
                                           std::int64_t max_context);

}  // namespace strata::compile
