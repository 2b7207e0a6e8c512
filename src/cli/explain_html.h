// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cli/explanation.h"

namespace strata::cli {

// One page that needs nothing else: totals, what the search did, the roofline plot, the plan. Well-formed XML, light
// or dark as the reader's system is.
std::string explanation_html(const Explanation& explanation);

// A page with that heading, in the style that all pages have.
std::string html_page(const std::string& title, const std::string& body);

// Text with the characters escaped that markup gives a meaning.
std::string html_text(std::string_view text);

}  // namespace strata::cli
