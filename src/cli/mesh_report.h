// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/console.h"
#include "compile/distribute.h"

namespace strata::cli {

// How a model is divided among the devices of a mesh.
struct MeshReport {
  std::string model;
  compile::MeshPlan planned;
};

// Plans, and says on standard error what is to be known of that.
MeshReport plan_for_mesh(const std::string& model, const compile::CompileOptions& options, Console& console);

// What it takes, in lines: times, memory, how good the plan is.
std::string mesh_heading(const MeshReport& report);

// For people: that, and each function with what its ops want and make, and the collectives between them.
std::string mesh_text(const MeshReport& report);

// The same in Markdown.
std::string mesh_md(const MeshReport& report);

// The contract's JSON of `compile --plan-only` (docs/cli.md), one object.
std::string mesh_json(const MeshReport& report);

}  // namespace strata::cli
