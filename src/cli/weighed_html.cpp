// SPDX-License-Identifier: Apache-2.0
#include "cli/weighed_html.h"

#include <cstddef>

#include "cli/format.h"
#include "cli/html.h"

namespace strata::cli {
namespace {

// "+3.2 %": how much more than the chosen one.
std::string more(double seconds, double chosen) {
  if (chosen <= 0) return "";
  const double part = 100 * (seconds / chosen - 1);
  return (part < 0 ? "" : "+") + format_fixed(part, 2) + " %";
}

std::string row(const std::string& where, const std::string& what, const std::string& by) {
  return "<tr><td>" + html_text(where) + "</td><td>" + html_text(what) + "</td><td class=\"n\">" + by + "</td></tr>\n";
}

std::string step_text(const plan::LosingStep& step) {
  std::string text = step.joins ? "joining " : "parting into ";
  for (std::size_t i = 0; i < step.regions.size(); ++i) {
    text += (i == 0 ? "" : step.joins ? " with " : " and ") + step.regions[i];
  }
  return text;
}

std::string table(const std::string& css_class, const std::string& rows, const std::string& of) {
  return "<table class=\"" + css_class + "\">\n<thead><tr><th>" + of +
         "</th><th>weighed</th><th class=\"n\">its time</th></tr></thead>\n<tbody>\n" + rows + "</tbody>\n</table>\n";
}

std::string joins(const Explanation& explanation) {
  std::string rows;
  for (const plan::RegionSearch& search : explanation.stats.regions) {
    for (const plan::LosingStep& step : search.losing) {
      rows += row(search.function + " (" + search.version + ")", step_text(step), more(step.seconds, search.after_s));
    }
  }
  return rows.empty() ? "" : table("joins", rows, "function");
}

std::string tiles(const Explanation& explanation) {
  std::string rows;
  for (const ExplainedOp& explained : explanation.ops) {
    const std::vector<plan::TileChoice>& choices = explained.op.tiles;
    for (std::size_t i = 1; i < choices.size(); ++i) {
      rows += row(explained.op.name, choices[i].sizes + ", not " + choices[0].sizes,
                  more(choices[i].predicted_s, choices[0].predicted_s));
    }
  }
  return rows.empty() ? "" : table("tiles", rows, "product");
}

}  // namespace

std::string weighed_html(const Explanation& explanation) {
  const std::string text = joins(explanation) + tiles(explanation);
  if (!text.empty()) return "<div class=\"scroll\">" + text + "</div>\n";
  return "<p>Nothing is known of other joins and tiles. A package doesn't keep them: explain the model's folder.</p>\n";
}

}  // namespace strata::cli
