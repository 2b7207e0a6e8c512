// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cli/explanation.h"

namespace strata::cli {

// All that is known of an op: what its time is made of, the forms that were weighed against the chosen one, the rules
// that are about it, its loops as nested boxes, and of a package (`source`) the C++.
std::string op_details_html(const ExplainedOp& op, const Explanation& step, std::string_view source);

}  // namespace strata::cli
