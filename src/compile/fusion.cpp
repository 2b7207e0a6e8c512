// SPDX-License-Identifier: Apache-2.0
#include "compile/fusion.h"

#include <algorithm>
#include <numeric>

#include "compile/region_space.h"

namespace strata::compile {
namespace {

using schedule::ScheduledFunction;
using Plans = std::map<const ir::Function*, buffer::FunctionPlan>;

double own_seconds(const ScheduledFunction& function) {
  double sum = 0;
  for (const schedule::ScheduledOp& op : function.ops) sum += op.is_call() ? 0 : op.predicted_s;
  return sum;
}

plan::RegionSearch report_of(const ScheduledFunction& function, const search::Result& found) {
  plan::RegionSearch report;
  report.function = function.function->name;
  report.method = search::to_string(found.method);
  report.visits = found.visits;
  report.states = found.states;
  report.before_s = found.start_cost;
  report.greedy_s = found.greedy_cost;
  report.after_s = found.cost;
  for (const search::Improvement& better : found.curve) report.curve.push_back({better.states, better.cost});
  report.stop_reason = search::to_string(found.stop_reason);
  return report;
}

}  // namespace

std::int64_t share(std::int64_t left, double weight, double weights_left) {
  if (weight <= 0) return 0;
  return weight >= weights_left ? left : static_cast<std::int64_t>(static_cast<double>(left) * weight / weights_left);
}

std::vector<double> default_weights(const std::vector<ScheduledFunction>& functions, const machine::Machine& machine) {
  std::vector<double> weights;
  const Plans none;
  for (const ScheduledFunction& function : functions) {
    ScheduledFunction tried = function;
    RegionSpace space(tried, none, machine, 1);
    weights.push_back(space.moves(space.start()).empty() ? 0 : own_seconds(function));
  }
  return weights;
}

std::vector<plan::RegionSearch> fuse(std::vector<ScheduledFunction>& functions, const machine::Machine& machine,
                                     const FusionOptions& options) {
  std::vector<plan::RegionSearch> reports;
  if (options.fusion == Fusion::kNone) return reports;
  const std::vector<double> weights = options.weights.empty() ? default_weights(functions, machine) : options.weights;
  double weights_left = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::int64_t visits_left = options.search.visits;
  Plans plans;
  for (std::size_t i = 0; i < functions.size(); ++i) {
    RegionSpace space(functions[i], plans, machine, options.threads);
    if (options.fusion == Fusion::kWherePossible) {
      space.take(search::after_all_moves(space));
    } else {
      search::Options own = options.search;
      own.visits = share(visits_left, weights[i], weights_left);
      const search::Result found = search::run(space, own);
      space.take(found.best);
      if (found.states > 1) reports.push_back(report_of(functions[i], found));
      visits_left = std::max<std::int64_t>(visits_left - std::max(found.visits, found.states), 0);
      weights_left -= weights[i];
    }
    plans[functions[i].function] = buffer::plan_buffers(functions[i], plans, buffer::ArenaEffort::kGreedy);
  }
  return reports;
}

}  // namespace strata::compile
