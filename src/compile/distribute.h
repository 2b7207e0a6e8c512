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
  distribution::DistributionPlan plan;
  Workload workload;
  double steps_of_prefill = 1;  // that all prompts take
  std::string warning = {};     // of the model; empty: none
};

// Whether the machine says what mesh it is one of.
bool has_mesh(const std::string& machine);

// How the model is divided among the devices of options.machine, each with all of its cores. Of a folder config.json
// alone is read, and the weights' shapes. Throws model_error, resource_error where it doesn't fit.
MeshPlan plan_on_mesh(const std::filesystem::path& model, const CompileOptions& options);

// The workload's steps for a program whose symbols are `seq` and `ctx`: decoding a token of each sequence, and a chunk
// of as many prompts side by side as there are devices. A row sees on average half of its prompt; caches have room for
// all.
std::vector<distribution::Phase> phases_of(const Workload& workload, std::int64_t devices, std::int64_t max_chunk,
                                           std::int64_t max_context);

}  // namespace strata::compile
