// SPDX-License-Identifier: Apache-2.0
#include "compile/op_order.h"

#include <algorithm>
#include <map>

#include "buffer/barriers.h"
#include "buffer/op_order.h"

namespace strata::compile {
namespace {

using schedule::ScheduledFunction;

class Reordering {
 public:
  Reordering(const machine::Machine& machine, int threads) : machine_(machine), threads_(threads) {}

  void run(ScheduledFunction& function) {
    buffer::FunctionPlan plan = buffer::plan_apart(function, plans_);
    const std::vector<std::size_t> order = buffer::order_of_few_barriers(function, plan);
    if (!std::ranges::is_sorted(order)) {
      ScheduledFunction tried = function;
      schedule::reorder(tried, order, traffic_, machine_, threads_);
      buffer::FunctionPlan tried_plan = buffer::plan_apart(tried, plans_);
      if (seconds(tried, tried_plan) < seconds(function, plan)) {
        function = std::move(tried);
        plan = std::move(tried_plan);
      }
    }
    traffic_[function.function] = cost::ProgramOrder(*function.function, traffic_).total();
    plans_[function.function] = std::move(plan);
  }

 private:
  double seconds(const ScheduledFunction& function, const buffer::FunctionPlan& plan) const {
    return function.own_seconds() + machine_.barrier_s * buffer::barriers_of(function, plan);
  }

  const machine::Machine& machine_;
  const int threads_;
  std::map<const ir::Function*, buffer::FunctionPlan> plans_;
  cost::FunctionTraffic traffic_;
};

}  // namespace

void order_ops(std::vector<ScheduledFunction>& functions, const machine::Machine& machine, int threads) {
  if (threads == 1) return;
  Reordering reordering(machine, threads);
  for (ScheduledFunction& function : functions) reordering.run(function);
}

}  // namespace strata::compile
