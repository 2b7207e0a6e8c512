// SPDX-License-Identifier: Apache-2.0
#include "cli/op_details_html.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/words.h"
#include "cli/format.h"
#include "cli/generated_code.h"
#include "cli/html.h"
#include "cli/op_limits.h"
#include "cli/tile_tree_html.h"

namespace strata::cli {
namespace {

constexpr double kLongest = 4;  // bars of what was weighed, as a multiple of the shortest

// "12.3 µs".
std::string time_text(double seconds) { return format_microseconds(seconds) + " µs"; }

struct Bar {
  std::string name;  // markup
  double seconds = 0;
  std::string css_class = "";
  std::string note = "";
};

// On one scale; the list's heading says what they are. `is_cut`: one that is several times the shortest ends open, or
// the others could not be told apart.
std::string bars(const std::string& heading, const std::vector<Bar>& list, bool is_cut = false) {
  double most = 0, least = list.empty() ? 0 : list[0].seconds;
  for (const Bar& bar : list) most = std::max(most, bar.seconds), least = std::min(least, bar.seconds);
  if (is_cut) most = std::min(most, kLongest * least);
  std::string rows;
  for (const Bar& bar : list) {
    const double width = most > 0 ? std::min(100 * bar.seconds / most, 100.0) : 0;
    const std::string css_class = bar.seconds > most ? "cut" : bar.css_class;
    rows += "<li" + (css_class.empty() ? "" : " class=\"" + css_class + "\"") + "><span>" + bar.name +
            "</span><i style=\"width:" + format_fixed(width, 2) + "%\"></i><b>" + time_text(bar.seconds) +
            (bar.note.empty() ? "" : " " + element("small", html_text(bar.note))) + "</b></li>\n";
  }
  return element("h4", heading) + "\n<ul class=\"bars\">\n" + rows + "</ul>\n";
}

std::string times(double seconds, double chosen) { return chosen > 0 ? "×" + format_fixed(seconds / chosen, 2) : ""; }

std::string amount(double value, const char* unit) {
  if (value >= 1e9) return format_fixed(value / 1e9, 2) + " G" + unit;
  return format_fixed(value / 1e6, value < 1e6 ? 3 : value < 1e8 ? 2 : 0) + " M" + unit;
}

// "Limited by reading weights: its 0.80 MB take 12.3 µs at the 65 GB/s of DRAM."
std::string reason(const ExplainedOp& op, const OpLimits& limits) {
  const std::string rest = " of the predicted " + time_text(op.cost.predicted_s);
  switch (limits.limit) {
    case Limit::kWeights:
    case Limit::kContext:
    case Limit::kMemory:
      return std::string("Most of its time is ") + limit_words(limits.limit) + ": " + amount(op.cost.bytes, "B") +
             " take " + time_text(limits.memory_s) + rest + " at the " + format_fixed(limits.bytes_per_s / 1e9, 1) +
             " GB/s of " + limits.level->name + ".";
    case Limit::kArithmetic:
      return "Most of its time is arithmetic: " + amount(op.cost.flops, "FLOP") + " take " +
             time_text(limits.arithmetic_s) + rest + " at the " + format_fixed(limits.ops_per_s / 1e9, 0) +
             " GFLOP/s of " + limits.unit->name + ".";
    case Limit::kOther:
      break;
  }
  return "Neither its " + amount(op.cost.bytes, "B") + " nor its " + amount(op.cost.flops, "FLOP") +
         " explain half of its time: it is loops too short to fill lanes and caches, instructions beside the "
         "multiply-adds, starting, or waiting.";
}

std::string time_bars(const ExplainedOp& op, const OpLimits& limits) {
  std::vector<Bar> list;
  if (op.measured_s) list.push_back({"measured", *op.measured_s, "measured"});
  list.push_back({"predicted", op.cost.predicted_s, "predicted"});
  if (limits.level != nullptr) list.push_back({html_text(limits.level->name + " alone"), limits.memory_s});
  if (limits.unit != nullptr) list.push_back({html_text(limits.unit->name + " alone"), limits.arithmetic_s});
  if (limits.barriers_s > 0) list.push_back({"barriers", limits.barriers_s});
  return element("p", html_text(reason(op, limits))) + "\n" + bars("One execution", list);
}

std::string rivals(const plan::Op& op) {
  if (op.alternatives.empty()) return "";
  std::vector<plan::Alternative> sorted = op.alternatives;
  std::ranges::sort(sorted, {}, [](const plan::Alternative& one) { return std::pair(one.predicted_s, one.layout); });
  const auto chosen = std::ranges::find(sorted, op.layout, &plan::Alternative::layout);
  std::vector<Bar> list;
  for (const auto& [layout, seconds] : sorted) {
    const bool is_chosen = layout == op.layout;
    const std::string note = is_chosen                ? "chosen"
                             : chosen != sorted.end() ? times(seconds, chosen->predicted_s)
                                                      : std::string();
    list.push_back({element("code", html_text(layout)), seconds, is_chosen ? "chosen" : "", note});
  }
  std::string text = bars("Layouts that the search weighed, at the workload's sizes and threads", list, true);
  if (chosen != sorted.end() && chosen != sorted.begin()) {
    text += element("p",
                    "A faster one by itself was left: what it saves is less than other ops then lose, which need "
                    "its operands or result in another layout.");
  }
  return text;
}

std::string tiles(const plan::Op& op) {
  if (op.tiles.size() < 2) return "";
  std::vector<Bar> list;
  for (std::size_t i = 0; i < op.tiles.size(); ++i) {
    list.push_back({html_text(op.tiles[i].sizes), op.tiles[i].predicted_s, i == 0 ? "chosen" : "",
                    i == 0 ? "chosen" : times(op.tiles[i].predicted_s, op.tiles[0].predicted_s)});
  }
  return bars("Tiles, on one thread", list);
}

// Whether one of a rule's words is the name of an op: "vectorize-matmul_nt" is about matmul_nt.
bool is_about(const plan::RuleStats& rule, const plan::Op& op) {
  const auto parts = split(rule.name, '-');
  return std::ranges::any_of(words(op.op),
                             [&](std::string_view name) { return std::ranges::find(parts, name) != parts.end(); });
}

std::string rules(const plan::Op& op, const plan::SearchStats& stats) {
  std::vector<plan::RuleStats> about;
  for (const plan::RuleStats& rule : stats.rules) {
    if (rule.applications > 0 && is_about(rule, op)) about.push_back(rule);
  }
  std::ranges::sort(about, {}, [](const plan::RuleStats& rule) { return std::pair(-rule.applications, rule.name); });
  std::string list;
  for (const plan::RuleStats& rule : about) {
    list += (list.empty() ? "" : ", ") + element("code", html_text(rule.name)) + " (" +
            std::to_string(rule.applications) + ")";
  }
  if (list.empty()) return "";
  return element("h4", "Rules about ops of its kind, with the equalities that they found") + "\n" + element("p", list);
}

std::string types(const plan::Op& op) {
  std::string list;
  for (const std::string& operand : op.operands) list += (list.empty() ? "" : ", ") + html_text(operand);
  return element("h4", "What it takes and makes") + "\n<p class=\"types\"><code>" + html_text(op.op) + "(" + list +
         ") → " + html_text(op.type) + "</code></p>\n";
}

std::string code(const ExplainedOp& op, std::string_view source) {
  const std::string text = generated_code(source, op.op.function, op.version, op.op.id);
  if (text.empty()) return "";
  return "<details class=\"code\"><summary>The generated C++</summary><pre>" + html_text(text) + "</pre></details>\n";
}

}  // namespace

std::string op_details_html(const ExplainedOp& op, const Explanation& step, std::string_view source) {
  const OpLimits limits = limits_of(op, step);
  std::string text = "<div class=\"why\">\n<div>\n" + time_bars(op, limits) + types(op.op) + "</div>\n<div>\n" +
                     rivals(op.op) + tiles(op.op) + rules(op.op, step.stats) + "</div>\n<div>\n";
  text += element("h4", "Its loops") + "\n" + tile_tree_html(op.op.tree) + "\n</div>\n</div>\n";
  return text + code(op, source);
}

}  // namespace strata::cli
