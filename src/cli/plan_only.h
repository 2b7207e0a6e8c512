// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "compile/compile.h"

namespace strata::cli {

// What `compile --plan-only` says: predicted times, memory, and the regions that the workload runs, each once for every
// version of a function.
struct PlanOnlyReport {
  std::string model;
  compile::ModelPlan planned;
  compile::Workload workload;
};

// For people.
std::string plan_only_text(const PlanOnlyReport& report);

// The contract's JSON (docs/cli.md), one object.
std::string plan_only_json(const PlanOnlyReport& report);

}  // namespace strata::cli
