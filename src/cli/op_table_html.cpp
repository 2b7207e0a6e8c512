// SPDX-License-Identifier: Apache-2.0
#include "cli/op_table_html.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "cli/format.h"
#include "cli/headline.h"
#include "cli/html.h"
#include "cli/layer_html.h"
#include "cli/op_details_html.h"
#include "cli/op_limits.h"

namespace strata::cli {
namespace {

constexpr std::size_t kFirstRows = 5;

// A name that may go on in another line behind each of its words.
std::string breakable(const std::string& name) {
  std::string text;
  for (const char c : html_text(name)) text += c == '_' ? std::string("_<wbr/>") : std::string(1, c);
  return text;
}

// A cell that sorts by `key`.
std::string cell(const std::string& content, const std::string& css_class, const std::string& key) {
  return "<td class=\"" + css_class + "\" data-key=\"" + html_text(key) + "\">" + content + "</td>";
}

std::string number_cell(const std::string& text, double value, const std::string& css_class = "") {
  return cell(text, css_class.empty() ? "n" : "n " + css_class, format_fixed(value, 4));
}

std::string time_cells(const ExplainedOp& op) {
  if (!op.measured_s || *op.measured_s <= 0) return cell("", "n", "-1") + cell("", "n wide", "-1");
  const double error = 100 * (op.cost.predicted_s - *op.measured_s) / *op.measured_s;
  return number_cell(format_microseconds(*op.measured_s), *op.measured_s * 1e9) +
         number_cell((error > 0 ? "+" : "") + format_fixed(error, 0), error, "wide");
}

std::string share_cell(double share, Limit limit) {
  const std::string text = format_fixed(100 * share, 1);
  return "<td class=\"share\" data-key=\"" + format_fixed(1e4 * share, 4) + "\"><span>" + text +
         " %</span><i class=\"" + css_class(limit) +
         "\" style=\"width:" + format_fixed(std::min(100 * share, 100.0), 2) + "%\"></i></td>";
}

std::string op_rows(const Explanation& step, std::size_t at, std::string_view source, std::size_t columns) {
  const ExplainedOp& op = step.ops[at];
  const std::string anchor = op_anchor(step, at);
  const Limit limit = limits_of(op, step).limit;
  const std::string layout = op.op.layout + (op.op.placement.empty() ? "" : " " + op.op.placement);
  std::string row = cell("<a href=\"#" + anchor + "\">" + breakable(op.op.name) + "</a>", "name", op.op.name);
  row += cell(html_text(op.op.op), "wide", op.op.op) + cell(html_text(op.op.form), "wide", op.op.form) +
         cell(element("code", html_text(layout)), "wide", layout);
  row += number_cell(std::to_string(op.op.count), static_cast<double>(op.op.count), "wide");
  row += number_cell(format_microseconds(op.cost.predicted_s), op.cost.predicted_s * 1e9,
                     step.repetitions > 0 ? "wide" : "");
  if (step.repetitions > 0) row += time_cells(op);
  row += share_cell(share_of(op, step), limit);
  return "<tbody id=\"" + anchor + "\" data-order=\"" + std::to_string(at) + "\">\n<tr class=\"op\">" + row +
         "</tr>\n<tr class=\"details\"><td colspan=\"" + std::to_string(columns) + "\">" +
         op_details_html(op, step, source) + "</td></tr>\n</tbody>\n";
}

std::string heading(const char* text, const char* css_class = "") {
  return "<th scope=\"col\"" + (*css_class == 0 ? "" : " class=\"" + std::string(css_class) + "\"") + ">" + text +
         "</th>";
}

}  // namespace

std::string op_table_html(const Explanation& step, std::string_view source) {
  const bool is_measured = step.repetitions > 0;
  std::string head = heading("op") + heading("kind", "wide") + heading("form", "wide") + heading("layout", "wide") +
                     heading("runs", "n wide") + heading("predicted µs", is_measured ? "n wide" : "n");
  if (is_measured) head += heading("measured µs", "n") + heading("error %", "n wide");
  head += "<th scope=\"col\" class=\"share\" aria-sort=\"descending\">share</th>";
  std::vector<std::size_t> order(step.ops.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t op) { return std::pair(-share_of(step.ops[op], step), op); });
  std::string rows;
  for (const std::size_t op : order) rows += op_rows(step, op, source, is_measured ? 9 : 7);
  const std::string id = "all-" + step_name(step);
  std::string all;
  if (order.size() > kFirstRows) {
    all = "<input type=\"checkbox\" id=\"" + id + "\"/><label for=\"" + id + "\"><span class=\"closed\">all " +
          std::to_string(order.size()) + " ops</span><span class=\"opened\">the first " + std::to_string(kFirstRows) +
          "</span></label>\n";
  }
  return all + "<table class=\"ops\" id=\"ops-" + step_name(step) + "\">\n<thead><tr>" + head + "</tr></thead>\n" +
         rows + "</table>\n";
}

}  // namespace strata::cli
