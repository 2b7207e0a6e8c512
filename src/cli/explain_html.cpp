// SPDX-License-Identifier: Apache-2.0
#include "cli/explain_html.h"

#include <algorithm>
#include <string_view>

#include "cli/accuracy_svg.h"
#include "cli/arena_svg.h"
#include "cli/explain_report.h"
#include "cli/format.h"
#include "cli/headline.h"
#include "cli/html.h"
#include "cli/layer_html.h"
#include "cli/op_limits.h"
#include "cli/op_table_html.h"
#include "cli/roofline_svg.h"
#include "cli/weighed_html.h"

namespace strata::cli {
namespace {

std::string plural(std::int64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string percent(double share, int digits) { return format_fixed(100 * share, digits); }

std::string card(const std::string& value, const std::string& label) {
  return "<div class=\"card\"><b>" + html_text(value) + "</b><span>" + html_text(label) + "</span></div>\n";
}

std::string section(const std::string& id, const std::string& title, const std::string& content) {
  return "<section id=\"" + id + "\">\n" + element("h2", title) + "\n" + content + "</section>\n";
}

// "measured 0.188 ms, predicted 0.190 ms, with 39 barriers".
std::string totals(const Explanation& step) {
  std::string text = "predicted " + format_milliseconds(step.summary.predicted_s);
  if (step.repetitions > 0) {
    text = "measured " + format_milliseconds(step.summary.measured_s) + " (sum of the ops' medians of " +
           std::to_string(step.repetitions) + " runs), " + text;
  }
  return text + ", " + plural(step.summary.barriers, "barrier");
}

std::string limit_bar(const Explanation& step) {
  const auto shares = limit_shares(step);
  std::string parts;
  for (const Limit limit : kLimits) {
    const double share = shares[static_cast<std::size_t>(limit)].share;
    if (share <= 0) continue;
    parts += "<span class=\"" + std::string(css_class(limit)) + "\" style=\"width:" + percent(share, 3) +
             "%\" title=\"" + limit_words(limit) + ", " + percent(share, 1) + " %\"></span>";
  }
  return "<div class=\"limits\">" + parts + "</div>\n";
}

std::string headline_html(const Explanation& step) {
  const Headline headline = headline_of(step);
  return "<article>\n" + element("h2", html_text(headline.step)) + "\n<p class=\"rate\"><b>" + headline.rate + "</b> " +
         headline.unit + "</p>\n" + element("p", html_text(headline.sentence), "sentence") + "\n" + limit_bar(step) +
         element("p", totals(step), "totals") + "\n</article>\n";
}

// Of those that take any time to speak of.
std::string limit_key(const ExplainedModel& model) {
  constexpr double kSeen = 0.002;
  std::string key;
  for (const Limit limit : kLimits) {
    const bool is_seen = std::ranges::any_of(model.steps, [&](const Explanation& step) {
      return limit_shares(step)[static_cast<std::size_t>(limit)].share >= kSeen;
    });
    if (!is_seen) continue;
    key += "<span><i class=\"" + std::string(css_class(limit)) + "\"></i>" + limit_words(limit) + "</span>";
  }
  return element("p", key, "key") + "\n";
}

std::string header_html(const ExplainedModel& model) {
  const Explanation& first = model.steps[0];
  std::string text = "<header>\n" + element("p", "Why it runs as fast as it does", "eyebrow") +
                     element("h1", html_text(first.model)) + "\n" +
                     element("p", html_text("on " + first.machine.name + ", " + plural(first.threads, "thread") +
                                            " of " + std::to_string(first.machine.cores) + " cores")) +
                     "\n" + element("p", html_text(first.machine.description), "totals") + "\n</header>\n";
  for (const Explanation& step : model.steps) {
    if (step.disturbance.empty()) continue;
    text +=
        "<p class=\"warning\" role=\"note\">" + html_text(headline_of(step).step + ". " + step.disturbance) + "</p>\n";
  }
  text += "<div class=\"steps\">\n";
  for (const Explanation& step : model.steps) text += headline_html(step);
  return text + "</div>\n" + limit_key(model);
}

std::string layers_html(const ExplainedModel& model) {
  std::string text = "<div class=\"steps\">\n";
  for (const Explanation& step : model.steps) {
    text += "<div>\n" + element("h3", html_text(headline_of(step).step)) + "\n" + layer_html(step) + "</div>\n";
  }
  return text + "</div>\n";
}

std::string tables_html(const ExplainedModel& model) {
  std::string text;
  for (const Explanation& step : model.steps) {
    text += "<div class=\"table\">\n" + element("h3", html_text(headline_of(step).step)) + "\n" +
            op_table_html(step, model.source);
    if (!step.views.empty()) {
      text += element("p", plural(std::ssize(step.views), "op") + " more are views of other memory: no code, no time.");
    }
    text += "</div>\n";
  }
  return text;
}

std::string roofline_html(const ExplainedModel& model) {
  const bool is_measured = model.steps[0].repetitions > 0;
  std::string key = "<p class=\"key\">";
  for (const Explanation& step : model.steps) {
    key += "<span><i class=\"" + step_name(step) + "\"></i>" + step_name(step) + "</span>";
  }
  key += is_measured
             ? "<span><i class=\"ring\"></i>predicted</span><span>filled: measured, as large as its part of the "
               "step</span>"
             : "<span>predicted, as large as its part of the step</span>";
  return roofline_svg(model.steps) + key +
         "</p>\n<p>A slope is what a level of memory can deliver, a ceiling what a unit can compute: the nearer an op "
         "is to "
         "its line, the less is left to gain. A point leads to its row.</p>\n";
}

std::string accuracy_html(const ExplainedModel& model) {
  std::string cards;
  for (const Explanation& step : model.steps) {
    const auto& accuracy = step.summary.accuracy;
    if (!accuracy) continue;
    cards += card(percent(accuracy->median_error, 1) + " %", step_name(step) + ": median error of an op's prediction") +
             card(format_fixed(accuracy->rank_correlation, 3), step_name(step) + ": rank correlation");
  }
  const std::string plot = accuracy_svg(model.steps);
  if (plot.empty()) return "";
  return section(
      "accuracy", "Predicted and measured",
      "<div class=\"beside\">" + plot + "<div><div class=\"cards\">\n" + cards +
          "</div>\n<p>On the line both are equal; the others are twice and half of it. Times are medians of an "
          "execution.</p></div></div>\n");
}

std::string search_cards(const plan::SearchStats& stats) {
  std::string text = card(stats.method, "how the plan was chosen");
  if (stats.egraph_nodes > 0) {
    text +=
        card(std::to_string(stats.egraph_nodes), "e-nodes") + card(std::to_string(stats.egraph_classes), "e-classes");
    text += card(stats.stop_reason, "why saturation stopped") +
            card(format_milliseconds(stats.objective_s), "the workload's predicted time");
    text += card(format_milliseconds(stats.bound_s), "bound: no plan in the e-graph is faster") +
            card(format_fixed(100 * stats.gap, 2) + " %", "gap");
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
  const std::string head = element("th", "rule") + element("th", "matches", "n") + element("th", "equalities", "n") +
                           element("th", "e-nodes", "n") + element("th", "time", "n");
  return "<details><summary>" + plural(std::ssize(rules), "rule") +
         " that matched</summary><div class=\"scroll\"><table class=\"rules\">\n<thead><tr>" + head +
         "</tr></thead>\n<tbody>\n" + rows + "</tbody>\n</table></div></details>\n";
}

std::string search_html(const ExplainedModel& model) {
  std::string text = search_cards(model.steps[0].stats) + rules_table(model.steps[0].stats.rules);
  for (const Explanation& step : model.steps) {
    text += "<details><summary>What was weighed and left for " + step_name(step) + "</summary>\n" + weighed_html(step) +
            "</details>\n";
  }
  return text;
}

std::string arena_html(const ExplainedModel& model) {
  std::string text;
  for (const Explanation& step : model.steps) {
    for (const plan::ArenaMap& arena : step.arenas) {
      if (arena.bytes <= 0) continue;
      text += "<div>" + element("h3", html_text(arena.function + " (" + arena.version + ")")) + "\n" +
              element("p", html_text("Peak " + format_bytes(arena.bytes) + ", lower bound " +
                                     format_bytes(arena.lower_bound) + ", over " + plural(std::ssize(arena.ops), "op") +
                                     " from left to right.")) +
              "\n" + arena_svg(arena) + "</div>\n";
    }
  }
  if (!text.empty()) return "<div class=\"steps\">\n" + text + "</div>\n";
  return "<p>A package doesn't keep where its buffers lie: explain the model's folder.</p>\n";
}

std::string provenance_html(const ExplainedModel& model) {
  std::string rows;
  for (const auto& [name, value] : model.provenance) {
    rows += element("dt", html_text(name)) + element("dd", html_text(value)) + "\n";
  }
  return "<dl>\n" + rows + "</dl>\n";
}

}  // namespace

std::string explanation_html(const ExplainedModel& model) {
  std::string body = header_html(model);
  body += section("layers", "Where the time goes, as areas", layers_html(model));
  body += section("ops", "The ops", tables_html(model));
  body += section("roofline", "Against the machine's roofs", roofline_html(model));
  body += accuracy_html(model);
  body += section("arena", "Memory while it runs", arena_html(model));
  body += section("search", "How it was found", search_html(model));
  body += section("provenance", "What these figures are of", provenance_html(model));
  return html_page(model.steps[0].model + ": why it runs as fast as it does", body);
}

}  // namespace strata::cli
