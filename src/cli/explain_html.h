// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/explanation.h"

namespace strata::cli {

// One page that needs nothing else: totals, what the search did, the roofline plot, the plan. Well-formed XML, light
// or dark as the reader's system is.
std::string explanation_html(const Explanation& explanation);

// Text with the characters escaped that markup gives a meaning.
std::string html_text(std::string_view text);

}  // namespace strata::cli
