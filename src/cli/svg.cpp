// SPDX-License-Identifier: Apache-2.0
#include "cli/svg.h"

#include "cli/format.h"
#include "cli/html.h"

namespace strata::cli {

std::string svg_number(double value) { return format_fixed(value, 1); }

std::string svg_begin(const std::string& css_class, double width, double height, const std::string& label) {
  return "<svg class=\"" + css_class + "\" viewBox=\"0 0 " + svg_number(width) + " " + svg_number(height) +
         "\" role=\"group\" aria-label=\"" + html_text(label) + "\">\n";
}

std::string svg_line(double x1, double y1, double x2, double y2, const char* css_class) {
  return std::string("<line class=\"") + css_class + "\" x1=\"" + svg_number(x1) + "\" y1=\"" + svg_number(y1) +
         "\" x2=\"" + svg_number(x2) + "\" y2=\"" + svg_number(y2) + "\"/>\n";
}

std::string svg_text(double x, double y, const std::string& content, const char* anchor, const std::string& more) {
  return "<text x=\"" + svg_number(x) + "\" y=\"" + svg_number(y) + "\" text-anchor=\"" + anchor + "\"" + more + ">" +
         html_text(content) + "</text>\n";
}

}  // namespace strata::cli
