// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "ir/expr.h"
#include "machine/machine.h"

namespace strata::compile {

// Throws Error (model), naming `origin` and the value, unless the machine's mesh has every axis that a placement names,
// and what is split falls into equal parts, of whole groups where the axis is packed.
void check_placements(const ir::Module& module, const machine::Machine& machine, const std::string& origin);

}  // namespace strata::compile
