// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/explanation.h"

namespace strata::cli {

// Where a step's time goes, as areas: a bar of its functions, and of each function with several ops that takes a good
// part of the step its ops in their order, each a box as large as its time (a strip treemap: Bederson, Shneiderman,
// Wattenberg 2002). Boxes link to the ops' rows.
std::string layer_html(const Explanation& step);

// The anchor of an op's row.
std::string op_anchor(const Explanation& step, std::size_t op);

}  // namespace strata::cli
