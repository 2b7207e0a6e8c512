// SPDX-License-Identifier: Apache-2.0
#include "compile/schedule_pass.h"

#include <stdexcept>

#include "base/error.h"
#include "buffer/barriers.h"
#include "compile/op_order.h"
#include "compile/own_results.h"
#include "schedule/schedule_text.h"
#include "schedule/verify.h"

namespace strata::compile {
namespace {

using schedule::ScheduledFunction;

void verify_trees(const Schedule& schedule, const machine::Machine& machine) {
  for (const auto& function : schedule.functions) schedule::verify(function, machine);
}

void verify_barriers(const Schedule& schedule) {
  for (const auto& function : schedule.functions) {
    buffer::verify_barriers(function, schedule.buffers.at(function.function));
  }
}

// Takes the trees of a text in place of the default ones.
void read_trees(std::string_view text, const std::string& origin, const machine::Machine& machine, Schedule& schedule) {
  schedule::read_schedule(text, origin, schedule.functions, machine);
  try {
    verify_trees(schedule, machine);
    schedule.buffers = buffer::plan_buffers(schedule.functions);
    verify_barriers(schedule);
  } catch (const std::logic_error& error) {
    throw model_error(error.what(), origin, "see docs/design.md, Tile trees");
  }
}

}  // namespace

Schedule schedule_functions(std::vector<schedule::ScheduledFunction> functions, const machine::Machine& machine,
                            const ScheduleOptions& options) {
  Schedule schedule{std::move(functions), {}};
  if (options.orders) order_ops(schedule.functions, machine, options.threads);
  schedule.regions = fuse(schedule.functions, machine, options);
  for (ScheduledFunction& function : schedule.functions) {
    if (options.each) compute_in_each_thread(function, schedule.buffers, machine, options.threads);
    schedule.buffers[function.function] = buffer::plan_buffers(function, schedule.buffers);
  }
  buffer::place_barriers(schedule.functions, schedule.buffers);
  verify_trees(schedule, machine);
  verify_barriers(schedule);
  schedule::predict(schedule.functions, machine, options.threads);
  return schedule;
}

Schedule schedule_module(const ir::Module& module, const machine::Machine& machine, const ScheduleOptions& options,
                         std::string_view text, const std::string& origin) {
  Schedule schedule =
      schedule_functions(schedule::default_schedule(module, machine, options.threads), machine, options);
  if (text.empty()) return schedule;
  read_trees(text, origin, machine, schedule);
  schedule::predict(schedule.functions, machine, options.threads);
  return schedule;
}

}  // namespace strata::compile
