// SPDX-License-Identifier: Apache-2.0
#include "cli/layer_html.h"

#include <algorithm>
#include <vector>

#include "cli/format.h"
#include "cli/headline.h"
#include "cli/html.h"
#include "cli/op_limits.h"

namespace strata::cli {
namespace {

constexpr double kDrawnPart = 0.1;    // of the step: what a function takes that is drawn
constexpr double kOneOp = 0.95;       // of a function: what an op takes that leaves nothing to draw
constexpr double kNamedPart = 0.02;   // of the picture: a box with a name
constexpr double kTimedPart = 0.05;   // the same, with a time
constexpr double kLineHeight = 0.06;  // of the picture: what a line of text takes
constexpr double kAspect = 0.85;      // width of the picture over its height, halved: names want wide boxes

struct AreaBox {
  std::size_t op = 0;
  double share = 0;  // of the picture
};

struct FunctionTime {
  std::string name;
  std::int64_t count = 0;  // executions, as far as its ops agree
  double seconds = 0;      // of all executions
  std::vector<std::size_t> ops;
};

// In the order of the first execution.
std::vector<FunctionTime> functions_of(const Explanation& step) {
  std::vector<FunctionTime> functions;
  for (std::size_t i = 0; i < step.ops.size(); ++i) {
    const ExplainedOp& op = step.ops[i];
    auto at = std::ranges::find(functions, op.op.function, &FunctionTime::name);
    if (at == functions.end()) at = functions.insert(at, {op.op.function, op.op.count, 0, {}});
    at->count = std::max(at->count, op.op.count);
    at->seconds += seconds_of(op, step) * static_cast<double>(op.op.count);
    at->ops.push_back(i);
  }
  return functions;
}

std::string percent_of(double share, int digits = 1) { return format_fixed(100 * share, digits); }

// Rows of boxes; a row takes the next box as long as the boxes' shapes come nearer to squares.
std::vector<std::vector<AreaBox>> strips(const std::vector<AreaBox>& boxes) {
  const auto stretch = [](const std::vector<AreaBox>& row) {
    double height = 0, sum = 0;
    for (const AreaBox& box : row) height += box.share;
    for (const AreaBox& box : row) {
      const double aspect = height > 0 && box.share > 0 ? kAspect * box.share / height / height : 1;
      sum += std::max(aspect, 1 / aspect) * box.share;
    }
    return height > 0 ? sum / height : 0;
  };
  std::vector<std::vector<AreaBox>> rows;
  for (const AreaBox& box : boxes) {
    if (!rows.empty()) {
      std::vector<AreaBox> longer = rows.back();
      longer.push_back(box);
      if (stretch(longer) <= stretch(rows.back())) {
        rows.back() = std::move(longer);
        continue;
      }
    }
    rows.push_back({box});
  }
  return rows;
}

std::string without_function(const plan::Op& op) {
  const std::string prefix = op.function + ".";
  return op.name.starts_with(prefix) ? op.name.substr(prefix.size()) : op.name;
}

std::string box_html(const Explanation& step, const AreaBox& box, double row) {
  const ExplainedOp& op = step.ops[box.op];
  const std::string time = format_microseconds(seconds_of(op, step)) + " µs";
  const std::string of = percent_of(box.share) + " %", name = html_text(without_function(op.op));
  const OpLimits limits = limits_of(op, step);
  std::string content;
  if (box.share >= kNamedPart && row >= 1.5 * kLineHeight) content = element("b", name);
  if (box.share >= kTimedPart && row >= 2.2 * kLineHeight) content += element("span", time + " · " + of);
  return "<a class=\"" + std::string(css_class(limits.limit)) + "\" href=\"#" + op_anchor(step, box.op) +
         "\" style=\"width:" + percent_of(row > 0 ? box.share / row : 0, 3) + "%\" title=\"" +
         html_text(op.op.name + ": " + time + ", " + of + ", " + limit_words(limits.limit)) + "\">" + content + "</a>";
}

std::string function_map(const Explanation& step, const FunctionTime& function) {
  std::vector<AreaBox> boxes;
  for (const std::size_t op : function.ops) {
    const double seconds = seconds_of(step.ops[op], step) * static_cast<double>(step.ops[op].op.count);
    boxes.push_back({op, function.seconds > 0 ? seconds / function.seconds : 0});
  }
  std::string rows;
  for (const std::vector<AreaBox>& row : strips(boxes)) {
    double height = 0;
    std::string content;
    for (const AreaBox& box : row) height += box.share;
    for (const AreaBox& box : row) content += box_html(step, box, height);
    rows += "<div style=\"height:" + percent_of(height, 3) + "%\">" + content + "</div>\n";
  }
  const double each = function.seconds / static_cast<double>(std::max<std::int64_t>(function.count, 1));
  const std::string title = function.name + ", " + format_microseconds(each) + " µs" +
                            (function.count > 1 ? ", run " + std::to_string(function.count) + " times" : "");
  return element("h4", html_text(title)) + "\n<div class=\"areas\">\n" + rows + "</div>\n";
}

// Of several ops that share a good part of the step's time.
bool is_drawn(const Explanation& step, const FunctionTime& function) {
  double longest = 0;
  for (const std::size_t op : function.ops) {
    longest = std::max(longest, seconds_of(step.ops[op], step) * static_cast<double>(step.ops[op].op.count));
  }
  return function.seconds >= kDrawnPart * seconds_of(step) && longest < kOneOp * function.seconds;
}

std::string function_bar(const Explanation& step, const std::vector<FunctionTime>& functions) {
  const double all = seconds_of(step);
  std::string parts, names;
  for (const FunctionTime& function : functions) {
    const double share = all > 0 ? function.seconds / all : 0;
    const std::string name = (function.count > 1 ? std::to_string(function.count) + " × " : "") + function.name + " " +
                             percent_of(share) + " %";
    parts += "<span style=\"width:" + percent_of(share, 3) + "%\" title=\"" + html_text(name) + "\"></span>";
    names += element("span", html_text(name));
  }
  return "<div class=\"functions\">" + parts + "</div>\n<p class=\"names\">" + names + "</p>\n";
}

}  // namespace

std::string layer_html(const Explanation& step) {
  const std::vector<FunctionTime> functions = functions_of(step);
  std::string text = function_bar(step, functions);
  for (const FunctionTime& function : functions) {
    if (is_drawn(step, function)) text += function_map(step, function);
  }
  return text;
}

std::string op_anchor(const Explanation& step, std::size_t op) { return step_name(step) + "-" + std::to_string(op); }

}  // namespace strata::cli
