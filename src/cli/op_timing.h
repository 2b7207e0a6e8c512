// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "plan/plan.h"
#include "runtime/profile.h"

namespace strata::cli {

// An op of the plan as a profile saw it. Costs are means over its executions.
struct OpTiming {
  std::string name;        // "layer.q_proj"
  std::string op;          // "matmul_nt"
  std::string version;     // "seq1"
  std::int64_t count = 0;  // executions
  double total_s = 0;
  plan::Cost cost;  // of one execution

  double measured_s() const { return count == 0 ? 0 : total_s / static_cast<double>(count); }

  // Of the time that the machine's roofs allow.
  double roof_fraction() const { return total_s == 0 ? 0 : cost.predicted_s / measured_s(); }
};

// The plan that a package carries. Throws model_error when it has none, or a malformed one.
plan::Plan package_plan(const std::filesystem::path& package, bool verify = false);

// How many ids of ops every entry has.
std::map<std::string, std::size_t> op_counts(const plan::Plan& plan);

// A profile with room for every op of the plan.
runtime::Profile make_profile(const plan::Plan& plan);

// The ops that ran, the one that took longest first. The costs are those of the profile's calls.
std::vector<OpTiming> op_timings(const plan::Plan& plan, const runtime::Profile& profile, int threads);

}  // namespace strata::cli
