// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ir/interpreter.h"

namespace strata::ir {

// Evaluates a function on all devices of a mesh in lockstep, as interpret() does on one: `mesh` has the extents of its
// axes, outermost first, and ranks are numbered with the last axis fastest. `arguments`: of each rank. Weights are the
// same for all. Gives each rank's results.
std::vector<std::vector<Value>> interpret_group(const Module& module, const Function& function,
                                                std::vector<std::vector<Value>> arguments,
                                                const std::vector<std::int64_t>& mesh,
                                                const std::map<std::string, std::int64_t>& symbols,
                                                const WeightSource& weights);

}  // namespace strata::ir
