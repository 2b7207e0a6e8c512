// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "buffer/buffer_plan.h"
#include "compile/fusion.h"

namespace strata::compile {

// The ops of a module's functions, their tile trees, and where every tensor lies.
struct Schedule {
  std::vector<schedule::ScheduledFunction> functions;
  std::map<const ir::Function*, buffer::FunctionPlan> buffers;
  std::vector<plan::RegionSearch> regions = {};  // how they were found
};

using ScheduleOptions = FusionOptions;

// The ops with their default trees, joined to regions, and verified.
Schedule schedule_functions(std::vector<schedule::ScheduledFunction> functions, const machine::Machine& machine,
                            const ScheduleOptions& options);

// The default schedule of a module. `text` may replace some of its trees and regions (schedule/schedule_text.h); empty:
// none. Throws Error (model) naming `origin` for a text that is wrong, and for trees of it that the verifier refuses.
Schedule schedule_module(const ir::Module& module, const machine::Machine& machine, const ScheduleOptions& options,
                         std::string_view text = {}, const std::string& origin = {});

}  // namespace strata::compile
