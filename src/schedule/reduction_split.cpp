// SPDX-License-Identifier: Apache-2.0
#include "schedule/reduction_split.h"

#include <algorithm>
#include <set>

#include "schedule/attention_tree.h"
#include "schedule/op_cost.h"

namespace strata::schedule {
namespace {

class Split {
 public:
  Split(std::span<const SizedRuns> runs, const machine::Machine& machine, int threads)
      : runs_(runs), machine_(machine), threads_(std::clamp(threads, 1, machine.cores)) {}

  void run(ScheduledOp& op) const {
    ScheduledOp best = op;
    for (const std::int64_t parts : candidates(op)) {
      if (parts == 1) continue;
      ScheduledOp tried = op;
      tried.tree = attention_tree(op, machine_, {.parts = parts});
      ++tried.barriers;
      if (seconds(tried) < seconds(best)) best = std::move(tried);
    }
    best.predicted_s = op_cost(best, machine_, {}, threads_).seconds;
    op = std::move(best);
  }

 private:
  std::set<std::int64_t> candidates(const ScheduledOp& op) const {
    std::set<std::int64_t> all;
    for (const SizedRuns& at : runs_) {
      const auto here = cost::split_candidates(units(op.tree, at.sizes), threads_);
      all.insert(here.begin(), here.end());
    }
    return all;
  }

  double seconds(const ScheduledOp& op) const { return op_seconds(op, machine_, runs_, threads_); }

  const std::span<const SizedRuns> runs_;
  const machine::Machine& machine_;
  const int threads_;
};

}  // namespace

void split_reductions(ScheduledFunction& function, std::span<const SizedRuns> runs, const machine::Machine& machine,
                      int threads) {
  if (threads <= 1 || runs.empty() || !cost::splits_reductions(machine)) return;
  const Split split(runs, machine, threads);
  for (ScheduledOp& op : function.ops) {
    if (op.has_code() && op.attention) split.run(op);
  }
}

}  // namespace strata::schedule
