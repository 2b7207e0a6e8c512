// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace strata::cli {

// A coordinate, to a tenth.
std::string svg_number(double value);

// The element's begin, of that size in the drawing's units.
std::string svg_begin(const std::string& css_class, double width, double height, const std::string& label);

std::string svg_line(double x1, double y1, double x2, double y2, const char* css_class);

// `anchor`: start, middle or end; `more`: further attributes. The content is escaped.
std::string svg_text(double x, double y, const std::string& content, const char* anchor, const std::string& more = "");

}  // namespace strata::cli
