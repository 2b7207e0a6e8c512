// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace strata::cli {

// Text with the characters escaped that markup gives a meaning. Bytes that no XML document may have become U+FFFD.
std::string html_text(std::string_view text);

// <name class="css_class">content</name>; the content is markup.
std::string element(std::string_view name, std::string_view content, std::string_view css_class = "");

// A page with that heading, in the style that all pages have. Well-formed XML.
std::string html_page(const std::string& title, const std::string& body);

}  // namespace strata::cli
