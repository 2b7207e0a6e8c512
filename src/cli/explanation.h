// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan.h"

namespace strata::cli {

// An op of the code that runs so many rows.
struct ExplainedOp {
  plan::Op op;
  plan::Cost cost;                   // of one execution, with nothing in the cache before it
  std::string symbol;                // of the entry that executes it
  std::string version;               // of that entry
  std::optional<double> measured_s;  // of one execution, the median of the repetitions
};

// How well predictions agree with measurements.
struct Accuracy {
  std::size_t ops = 0;
  double median_error = 0;      // of |predicted - measured| / measured
  double rank_correlation = 0;  // Spearman's, over the ops' times
};

// The step as a whole.
struct Summary {
  double predicted_s = 0;
  double measured_s = 0;             // 0: not measured
  std::int64_t barriers = 0;         // that a team of several threads waits at
  std::optional<Accuracy> accuracy;  // nothing: fewer than two ops are measured
};

// What was decided for a step on `rows` tokens: the forward pass, and the head for its last row.
struct Explanation {
  std::string model;
  machine::Machine machine;
  std::int64_t rows = 1;
  int threads = 1;
  std::int64_t barriers_per_token = 0;  // of a step of one row, whatever `rows`
  plan::SearchStats stats;              // of the forward pass
  std::vector<ExplainedOp> ops;         // in the order of their first execution
  std::vector<ExplainedOp> views;       // those that no code is made for
  std::vector<plan::ArenaMap> arenas;   // of the functions that are run
  int repetitions = 0;                  // 0: not measured
  std::string disturbance = {};         // what disturbed the measurement, in a sentence
  Summary summary;                      // of all ops, also of those that keep_only() removed
};

// Throws usage_error when no code takes so many rows at once.
Explanation explain_plan(const plan::Plan& plan, const std::string& model, std::int64_t rows, int threads);

// The most rows that a pass takes.
std::int64_t most_rows(const plan::Plan& plan);

// Fills in the summary, from all ops.
void summarise(Explanation& explanation);

// Keeps the ops of this name, with or without its function ("layer.q_proj", "q_proj"). Throws usage_error listing the
// names when there is none.
void keep_only(Explanation& explanation, std::string_view name);

double median(std::vector<double> values);  // of at least one

// Spearman's rank correlation; equal values share their mean rank. 0 when one of the two doesn't vary.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace strata::cli
