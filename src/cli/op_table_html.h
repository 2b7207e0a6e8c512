// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cli/explanation.h"

namespace strata::cli {

// A step's ops, those that take most of its time first: a table whose rows open to op_details_html. A script sorts it;
// without one all that takes is following a row's link.
std::string op_table_html(const Explanation& step, std::string_view source);

}  // namespace strata::cli
