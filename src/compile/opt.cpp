// SPDX-License-Identifier: Apache-2.0
#include "compile/opt.h"

#include <algorithm>

#include "compile/pipeline.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/register.h"
#include "vectorize/bisect.h"

namespace strata::compile {

std::string optimise_text(const std::string& ir_text, const std::string& origin, const std::vector<std::string>& names,
                          const std::string& machine) {
  ops::register_all();
  check_pass_names(names);
  const machine::Machine target = machine::load(machine);
  ir::Module module = ir::parse_module(ir_text, origin);
  ir::check_input(module, origin);
  const std::vector<std::string> all = {"egraph"};
  for (const std::string& name : names.empty() ? all : names) {
    module = std::ranges::find(passes(), name, &Pass::name)->run(module, target);
    ir::verify(module);
  }
  return ir::to_text(module);
}

OptBisection bisect_text(const std::string& ir_text, const std::string& origin, const std::string& machine) {
  ops::register_all();
  const machine::Machine target = machine::load(machine);
  const ir::Module module = ir::parse_module(ir_text, origin);
  ir::verify(module);
  const vectorize::Bisection found = vectorize::bisect(module, vectorize::all_rules(target));
  const std::string counts = std::to_string(found.terms) + " terms evaluated, " + std::to_string(found.wrong) +
                             " differ from what they are said to equal\n";
  if (found.guilty_rule.empty()) return {"", counts};
  return {found.guilty_rule, found.proof + counts};
}

}  // namespace strata::compile
