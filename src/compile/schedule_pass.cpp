// SPDX-License-Identifier: Apache-2.0
#include "compile/schedule_pass.h"

#include <stdexcept>

#include "base/error.h"
#include "buffer/barriers.h"
#include "schedule/schedule_text.h"
#include "schedule/verify.h"

namespace strata::compile {
namespace {

void verify(const Schedule& schedule, const machine::Machine& machine) {
  for (const auto& function : schedule.functions) {
    for (const schedule::ScheduledOp& op : function.ops) schedule::verify(op, machine);
    buffer::verify_barriers(function, schedule.buffers.at(function.function));
  }
}

}  // namespace

Schedule schedule_module(const ir::Module& module, const machine::Machine& machine, int threads, std::string_view text,
                         const std::string& origin) {
  Schedule schedule{schedule::default_schedule(module, machine, threads), {}};
  schedule.buffers = buffer::plan_buffers(schedule.functions);
  buffer::place_barriers(schedule.functions, schedule.buffers);
  if (text.empty()) {
    verify(schedule, machine);
    return schedule;
  }
  schedule::read_schedule(text, origin, schedule.functions, machine);
  try {
    verify(schedule, machine);
  } catch (const std::logic_error& error) {
    throw model_error(error.what(), origin, "see docs/design.md, Tile trees");
  }
  schedule.buffers = buffer::plan_buffers(schedule.functions);
  return schedule;
}

}  // namespace strata::compile
