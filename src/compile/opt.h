// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace strata::compile {

// Runs the named passes, in the order given, over a module in text form and returns it in text form; verified between
// passes. Without names: "egraph", which is all rules together. Behind "schedule", which only the last pass can be, the
// module is followed by its schedule (schedule/schedule_text.h); that pass alone takes a text that has one already.
// `machine` as for compile. Throws model_error for text that is not a module (`origin` names it), usage_error for an
// unknown pass.
std::string optimise_text(const std::string& ir_text, const std::string& origin, const std::vector<std::string>& passes,
                          const std::string& machine);

// Which rule makes the result wrong (vectorize::bisect): its proof for people, and its name, empty where all hold.
struct OptBisection {
  std::string rule;
  std::string text;
};
OptBisection bisect_text(const std::string& ir_text, const std::string& origin, const std::string& machine);

}  // namespace strata::compile
