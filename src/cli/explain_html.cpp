// SPDX-License-Identifier: Apache-2.0
#include "cli/explain_html.h"

#include <algorithm>

#include "cli/arena_svg.h"
#include "cli/explain_report.h"
#include "cli/format.h"
#include "cli/roofline_svg.h"
#include "cli/tile_tree_html.h"
#include "cli/weighed_html.h"

namespace strata::cli {
namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --ink: #1d2430; --soft: #667085; --line: #e2e6ee; --paper: #ffffff; --card: #f6f8fb;
  --measured: #2563eb; --predicted: #d9480f; --roof: #98a2b3; --bar: #c7d7fe; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #2c3340; --paper: #12161d; --card: #1a202a; --measured: #7aa2ff;
    --predicted: #ff9f5a; --roof: #667085; --bar: #26406f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .75rem; }
p { color: var(--soft); margin: .25rem 0; }
code { font: 12.5px ui-monospace, monospace; }
.cards { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.25rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .6rem 1rem;
  min-width: 9rem; }
.card b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: .8rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { font-size: .8rem; color: var(--soft); font-weight: 600; white-space: nowrap; }
td.n, th.n { text-align: right; white-space: nowrap; }
td.share { min-width: 8rem; }
.bar { background: var(--bar); border-radius: 3px; height: 1.1rem; min-width: 1px; }
details summary { cursor: pointer; color: var(--soft); }
svg { width: 100%; height: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
svg text.axis { font-size: 12px; }
svg text.name { fill: var(--ink); paint-order: stroke; stroke: var(--card); stroke-width: 3px; }
svg .buffer { fill: var(--bar); stroke: var(--measured); }
svg .peak { stroke: var(--predicted); stroke-dasharray: 6 4; }
svg .grid { stroke: var(--line); }
svg .roof { stroke: var(--roof); stroke-width: 1.5; }
svg .link { stroke: var(--soft); stroke-dasharray: 2 3; }
svg .measured { fill: var(--measured); fill-opacity: .65; }
svg .predicted { fill: none; stroke: var(--predicted); stroke-width: 1.75; }
.key i { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%; margin: 0 .3rem 0 1rem; }
.key i.m { background: var(--measured); }
.key i.p { border: 2px solid var(--predicted); }
svg.devices { width: auto; height: 1.1rem; border: 0; background: none; vertical-align: middle; }
svg.devices .device { fill: none; stroke: var(--roof); }
svg.devices .whole { fill: var(--bar); }
svg.devices .part { fill: var(--measured); }
svg.devices .sum { fill: var(--predicted); fill-opacity: .6; }
pre.lines { white-space: pre-wrap; }
tr.collective td { color: var(--predicted); }
)";

std::string element(const std::string& name, const std::string& content, const std::string& css_class = "") {
  return "<" + name + (css_class.empty() ? "" : " class=\"" + css_class + "\"") + ">" + content + "</" + name + ">";
}

std::string plural(std::int64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string card(const std::string& value, const std::string& label) {
  return "<div class=\"card\"><b>" + html_text(value) + "</b><span>" + html_text(label) + "</span></div>\n";
}

std::string total_cards(const Explanation& explanation) {
  std::string text = card(format_milliseconds(explanation.summary.predicted_s), "predicted, the whole step");
  if (explanation.repetitions > 0)
    text += card(format_milliseconds(explanation.summary.measured_s), "measured, sum of medians");
  if (const auto& accuracy = explanation.summary.accuracy) {
    text += card(format_fixed(100 * accuracy->median_error, 1) + " %", "median error of an op's prediction");
    text += card(format_fixed(accuracy->rank_correlation, 3), "rank correlation");
  }
  return "<div class=\"cards\">\n" + text + "</div>\n";
}

std::string search_cards(const plan::SearchStats& stats) {
  std::string text = card(stats.method, "method");
  if (stats.egraph_nodes > 0) {
    text +=
        card(std::to_string(stats.egraph_nodes), "e-nodes") + card(std::to_string(stats.egraph_classes), "e-classes");
    text +=
        card(stats.stop_reason, "why saturation stopped") + card(format_milliseconds(stats.objective_s), "objective");
    text += card(format_milliseconds(stats.bound_s), "bound") + card(format_fixed(100 * stats.gap, 2) + " %", "gap");
  }
  if (stats.saturate_s) text += card(format_fixed(*stats.saturate_s, 2) + " s", "saturation");
  if (stats.extract_s) text += card(format_fixed(*stats.extract_s, 2) + " s", "extraction");
  if (const auto& tuning = stats.tuning) {
    text += card(std::to_string(tuning->predicted) + " of " + std::to_string(tuning->regions),
                 "tuned regions of which prediction had the fastest");
  }
  return "<div class=\"cards\">\n" + text + "</div>\n";
}

std::string rules_table(const std::vector<plan::RuleStats>& rules) {
  if (rules.empty()) return "";
  std::string rows;
  for (const plan::RuleStats& rule : by_time(rules)) {
    rows += "<tr>" + element("td", html_text(rule.name)) + element("td", std::to_string(rule.matches), "n") +
            element("td", std::to_string(rule.applications), "n") + element("td", std::to_string(rule.nodes), "n") +
            element("td", format_milliseconds(rule.seconds), "n") + "</tr>\n";
  }
  const std::string head = element("th", "rule") + element("th", "matches", "n") + element("th", "applications", "n") +
                           element("th", "e-nodes added", "n") + element("th", "processor time", "n");
  return "<details><summary>" + plural(std::ssize(rules), "rule") + "</summary><table class=\"rules\">\n<thead><tr>" +
         head + "</tr></thead>\n<tbody>\n" + rows + "</tbody>\n</table></details>\n";
}

std::string alternatives_cell(const plan::Op& op) {
  if (op.alternatives.empty()) return "<td></td>";
  std::string rows;
  for (const auto& [layout, seconds] : op.alternatives) {
    rows += "<div><code>" + html_text(layout) + "</code> " + format_microseconds(seconds) + " µs</div>";
  }
  return "<td><details><summary>" + std::to_string(op.alternatives.size()) + "</summary>" + rows + "</details></td>";
}

std::string op_row(const ExplainedOp& explained, double total_s, bool is_measured) {
  const auto& op = explained.op;
  double seconds = is_measured ? explained.measured_s.value_or(0) : explained.cost.predicted_s;
  double share = total_s > 0 ? 100 * seconds * static_cast<double>(op.count) / total_s : 0;
  std::string row =
      element("td", html_text(op.name)) + element("td", html_text(op.op)) +
      element("td", std::to_string(op.count), "n") + element("td", html_text(op.form)) +
      element("td", element("code", html_text(op.layout + (op.placement.empty() ? "" : " ") + op.placement)));
  row += element("td", format_microseconds(explained.cost.predicted_s), "n");
  if (is_measured) {
    row += element("td", explained.measured_s ? format_microseconds(*explained.measured_s) : "", "n");
    row +=
        element("td", seconds > 0 ? format_fixed(100 * (explained.cost.predicted_s - seconds) / seconds, 0) : "", "n");
  }
  row += "<td class=\"share\"><div class=\"bar\" title=\"" + format_fixed(share, 2) +
         " %\" style=\"width: " + format_fixed(std::min(share, 100.0), 2) + "%\"></div></td>";
  return "<tr>" + row + alternatives_cell(op) + "</tr>\n";
}

// Each region's tile tree beside its time.
std::string tree_sections(const Explanation& explanation) {
  std::string text;
  for (const auto& [op, cost, symbol, measured_s] : explanation.ops) {
    text += "<details class=\"region\"><summary>" + html_text(op.name) + ": " + format_microseconds(cost.predicted_s) +
            " µs" + (measured_s ? ", measured " + format_microseconds(*measured_s) + " µs" : "") + "</summary>" +
            tile_tree_html(op.tree) + "</details>\n";
  }
  return text;
}

std::string arena_sections(const Explanation& explanation) {
  if (explanation.arenas.empty()) {
    return "<p>A package doesn't keep where its buffers lie: explain the model's folder.</p>\n";
  }
  std::string text;
  for (const plan::ArenaMap& arena : explanation.arenas) {
    text += element("p", html_text(arena.function + " (" + arena.version + "): peak " + format_bytes(arena.bytes) +
                                   ", lower bound " + format_bytes(arena.lower_bound)));
    text += "\n" + arena_svg(arena);
  }
  return text;
}

std::string plan_table(const Explanation& explanation) {
  bool is_measured = explanation.repetitions > 0;
  std::string head = element("th", "op") + element("th", "kind") + element("th", "count", "n") + element("th", "form") +
                     element("th", "layout") + element("th", "predicted µs", "n");
  if (is_measured) head += element("th", "measured µs", "n") + element("th", "error %", "n");
  head += element("th", "share of the step") + element("th", "alternatives");
  double total_s = is_measured ? explanation.summary.measured_s : explanation.summary.predicted_s;
  std::string rows;
  for (const auto& op : explanation.ops) rows += op_row(op, total_s, is_measured);
  return "<div class=\"scroll\"><table>\n<thead><tr>" + head + "</tr></thead>\n<tbody>\n" + rows +
         "</tbody>\n</table></div>\n";
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string escaped;
  for (char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string html_page(const std::string& title, const std::string& body) {
  std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n";
  page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>" + html_text(title) +
          "</title>\n";
  page += std::string("<style>") + kStyle + kTileTreeStyle + "</style>\n</head>\n<body>\n<h1>" + html_text(title) +
          "</h1>\n";
  return page + body + "\n</body>\n</html>\n";
}

std::string explanation_html(const Explanation& explanation) {
  std::string page =
      element("p", html_text(explanation.machine.name + ", " + plural(explanation.threads, "thread") +
                             (explanation.machine.description.empty() ? "" : ": ") + explanation.machine.description)) +
      "\n" + total_cards(explanation);
  page += "<h2>Search</h2>\n" + search_cards(explanation.stats) + rules_table(explanation.stats.rules);
  page += "<h2>Roofline</h2>\n" + roofline_svg(explanation);
  page +=
      "<p class=\"key\"><i class=\"m\"></i>measured, as large as its part of the step"
      "<i class=\"p\"></i>predicted; slopes are memory levels, ceilings compute units</p>\n";
  page += "<h2>Regions</h2>\n" + tree_sections(explanation);
  page += "<h2>Weighed and left</h2>\n" + weighed_html(explanation);
  page += "<h2>Arena</h2>\n" + arena_sections(explanation);
  page += "<h2>Plan</h2>\n" + plan_table(explanation);
  page +=
      element("p", plural(std::ssize(explanation.views), "op") + " more are views of other memory: no code, no time.");
  return html_page(explanation.model + ": the plan of " + plural(explanation.rows, "row"), page);
}

}  // namespace strata::cli
