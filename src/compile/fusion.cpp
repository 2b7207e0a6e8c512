// SPDX-License-Identifier: Apache-2.0
#include "compile/fusion.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "compile/region_space.h"
#include "plan/op_text.h"

namespace strata::compile {
namespace {

using schedule::ScheduledFunction;
using Plans = std::map<const ir::Function*, buffer::FunctionPlan>;

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

constexpr std::size_t kLosingSteps = 6;

using Region = std::vector<std::uint32_t>;  // of ops, rising

std::set<Region> regions_of(const search::State& state) {
  std::map<std::uint32_t, Region> by_last;
  for (std::uint32_t op = 0; op < state.size(); ++op) by_last[state[op]].push_back(op);
  std::set<Region> regions;
  for (auto& [last, region] : by_last) regions.insert(std::move(region));
  return regions;
}

// The regions of one state that another one lacks.
std::vector<std::string> difference(const search::State& of, const search::State& from,
                                    const ScheduledFunction& function) {
  const auto names = plan::op_names(*function.function);
  const std::set<Region> others = regions_of(from);
  std::vector<std::string> texts;
  for (const Region& region : regions_of(of)) {
    if (others.contains(region)) continue;
    std::string text;
    for (const std::uint32_t op : region) text += (text.empty() ? "" : " + ") + names.at(function.ops[op].value);
    texts.push_back(std::move(text));
  }
  return texts;
}

// The cheapest states beside the one that was found.
std::vector<plan::LosingStep> losing_steps(RegionSpace& space, const search::State& found,
                                           const ScheduledFunction& function) {
  std::vector<plan::LosingStep> steps;
  for (const search::Move& move : space.moves(found)) {
    steps.push_back({true, difference(found, move.to, function), space.cost(move.to)});
  }
  for (const search::Move& move : space.undos(found)) {
    steps.push_back({false, difference(move.to, found, function), space.cost(move.to)});
  }
  std::ranges::sort(steps, {}, [](const plan::LosingStep& step) { return std::pair(step.seconds, step.regions); });
  steps.resize(std::min(steps.size(), kLosingSteps));
  return steps;
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
    weights.push_back(space.moves(space.start()).empty() ? 0 : function.own_seconds());
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
      if (found.states > 1) {
        reports.push_back(report_of(functions[i], found));
        if (options.keeps_losing) reports.back().losing = losing_steps(space, found.best, functions[i]);
      }
      space.take(found.best);
      visits_left = std::max<std::int64_t>(visits_left - std::max(found.visits, found.states), 0);
      weights_left -= weights[i];
    }
    plans[functions[i].function] = buffer::plan_buffers(functions[i], plans, buffer::ArenaEffort::kGreedy);
  }
  return reports;
}

}  // namespace strata::compile
