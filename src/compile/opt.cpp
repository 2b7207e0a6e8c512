// SPDX-License-Identifier: Apache-2.0
#include "compile/opt.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "compile/pipeline.h"
#include "compile/placement_check.h"
#include "compile/schedule_pass.h"
#include "ir/constants.h"
#include "ir/op.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/register.h"
#include "schedule/schedule_text.h"
#include "schedule/view_plan.h"
#include "vectorize/bisect.h"

namespace strata::compile {
namespace {

constexpr std::string_view kSchedule = "schedule";

// A module, and the schedule behind it if there is one: from the line that begins with that word. Positions in both are
// those in the whole text.
std::pair<std::string, std::string> split(const std::string& text) {
  std::size_t at = text.find("\n" + std::string(kSchedule));
  if (at == std::string::npos) return {text, ""};
  std::string blank = text.substr(0, ++at);
  std::ranges::replace_if(blank, [](char c) { return c != '\n'; }, ' ');
  return {text.substr(0, at), blank + text.substr(at)};
}

// Whether a schedule is wanted, which is of the module as it then is.
bool check_order(const std::vector<std::string>& names, bool has_schedule, const std::string& origin) {
  const auto found = std::ranges::find(names, kSchedule);
  if (found != names.end() && found != names.end() - 1) {
    throw usage_error("a pass after 'schedule' would change what is scheduled", "name it last");
  }
  if (has_schedule && (names.size() != 1 || found == names.end())) {
    throw usage_error("the schedule in " + origin + " is of the module as it stands there",
                      "pass --passes schedule, or remove the schedule");
  }
  return found != names.end();
}

// The searches choose only what there is code for; another module may want anything.
void require_code(const ir::Module& module, const std::string& origin) {
  for (const auto& function : module.functions()) {
    const auto constants = ir::constants(*function);
    const auto names = ir::value_names(*function);
    for (const ir::Expr* value : ir::topological_order(*function)) {
      if (value->kind != ir::Expr::Kind::kOp || constants.contains(value)) continue;
      if (schedule::leaf_of(*value) != nullptr) continue;
      throw model_error("there is no code for " + names.at(value) + " of @" + function->name + ", " +
                            value->op->name() + " in these layouts",
                        origin, "run the pass 'egraph' first");
    }
  }
}

ir::Module read_module(const std::string& text, const std::string& origin, const machine::Machine& target) {
  ir::Module module = ir::parse_module(text, origin);
  ir::check_input(module, origin);
  check_placements(module, target, origin);
  return module;
}

}  // namespace

std::string optimise_text(const std::string& ir_text, const std::string& origin, const std::vector<std::string>& names,
                          const std::string& machine) {
  ops::register_all();
  check_pass_names(names);
  const machine::Machine target = machine::load(machine);
  const auto [module_text, schedule_text] = split(ir_text);
  const bool is_scheduled = check_order(names, !schedule_text.empty(), origin);
  ir::Module module = read_module(module_text, origin, target);
  const std::vector<std::string> all = {"egraph"};
  for (const std::string& name : names.empty() ? all : names) {
    module = std::ranges::find(passes(), name, &Pass::name)->run(module, target);
    ir::verify(module);
  }
  if (!is_scheduled) return ir::to_text(module);
  require_code(module, origin);
  const Schedule schedule = schedule_module(module, target, {}, schedule_text, origin);
  return ir::to_text(module) + "\n" + schedule::to_text(schedule.functions, target);
}

OptBisection bisect_text(const std::string& ir_text, const std::string& origin, const std::string& machine) {
  ops::register_all();
  const machine::Machine target = machine::load(machine);
  const ir::Module module = read_module(ir_text, origin, target);
  const vectorize::Bisection found = vectorize::bisect(module, vectorize::all_rules(target));
  const std::string counts = std::to_string(found.terms) + " terms evaluated, " + std::to_string(found.wrong) +
                             " differ from what they are said to equal\n";
  if (found.guilty_rule.empty()) return {"", counts};
  return {found.guilty_rule, found.proof + counts};
}

}  // namespace strata::compile
