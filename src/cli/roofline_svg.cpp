// SPDX-License-Identifier: Apache-2.0
#include "cli/roofline_svg.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <ranges>

#include "cli/explain_html.h"
#include "cli/format.h"
#include "machine/cost.h"

namespace strata::cli {
namespace {

// Of the plot's area, in the units of the drawing.
constexpr double kWidth = 960, kHeight = 520;
constexpr double kLeft = 70, kRight = 940, kTop = 20, kBottom = 470;
constexpr double kCharacter = 6.2, kLine = 13;  // of the labels' font
constexpr int kNamedDots = 10;
constexpr double kSamePlace = 10;  // distance of dots that share a label

std::string number(double value) { return format_fixed(value, 1); }

// 1e-3 as "0.001", 1000 as "1000".
std::string decade_text(int exponent) {
  return exponent < 0 ? format_fixed(std::pow(10, exponent), -exponent) : format_fixed(std::pow(10, exponent), 0);
}

struct Point {
  double x = 0, y = 0;
};

struct Dot {
  const ExplainedOp* op = nullptr;
  double intensity = 0;  // FLOP per byte
  double predicted = 0;  // FLOP/s
  double measured = 0;   // FLOP/s; 0: not measured
  double share = 0;      // of the step's time
  double rate() const { return measured > 0 ? measured : predicted; }
};

std::vector<Dot> dots_of(const Explanation& explanation) {
  bool is_measured = explanation.repetitions > 0;
  double total = is_measured ? explanation.summary.measured_s : explanation.summary.predicted_s;
  std::vector<Dot> dots;
  for (const auto& op : explanation.ops) {
    if (op.cost.flops <= 0 || op.cost.bytes <= 0 || op.cost.predicted_s <= 0) continue;
    double measured_s = op.measured_s.value_or(0);
    double seconds = (is_measured ? measured_s : op.cost.predicted_s) * static_cast<double>(op.op.count);
    dots.push_back({&op, op.cost.flops / op.cost.bytes, op.cost.flops / op.cost.predicted_s,
                    measured_s > 0 ? op.cost.flops / measured_s : 0, total > 0 ? seconds / total : 0});
  }
  std::ranges::sort(dots, std::ranges::greater(), &Dot::share);
  return dots;
}

class Plot {
 public:
  explicit Plot(const Explanation& explanation) : explanation_(explanation), dots_(dots_of(explanation)) {
    for (const auto& unit : explanation.machine.units) ceiling_ = std::max(ceiling_, peak(unit));
    choose_ranges();
  }

  std::string draw() {
    svg_ = "<svg viewBox=\"0 0 " + number(kWidth) + " " + number(kHeight) +
           "\" role=\"img\" aria-label=\"Roofline plot\">\n";
    draw_grid();
    for (const auto& level : explanation_.machine.memory) draw_slope(level);
    for (const auto& unit : explanation_.machine.units) draw_ceiling(unit);
    // Small dots last, so that large ones don't hide them.
    for (const auto& dot : dots_) draw_dot(dot);
    draw_names();
    return svg_ + "</svg>\n";
  }

 private:
  double peak(const machine::Unit& unit) const { return unit.ops_per_s * explanation_.threads; }
  double bandwidth(const machine::MemoryLevel& level) const {
    return machine::bandwidth(level, std::min(explanation_.threads, explanation_.machine.cores));
  }

  // Whole decades around the ops, the highest ceiling, and the ridge of the slowest memory.
  void choose_ranges() {
    double low_x = 0.1, high_x = 10, low_y = ceiling_ / 100;
    if (!explanation_.machine.memory.empty()) {
      high_x = std::max(high_x, ceiling_ / bandwidth(explanation_.machine.memory.back()));
    }
    for (const auto& dot : dots_) {
      low_x = std::min(low_x, dot.intensity);
      high_x = std::max(high_x, dot.intensity);
      low_y = std::min(low_y, std::min(dot.predicted, dot.rate()));
    }
    low_ = {std::floor(std::log10(low_x)), std::floor(std::log10(std::max(low_y, 1.0)))};
    high_ = {std::ceil(std::log10(high_x) + 0.1), std::log10(ceiling_) + 0.3};
  }

  Point at(double intensity, double rate) const {
    return {kLeft + (std::log10(intensity) - low_.x) / (high_.x - low_.x) * (kRight - kLeft),
            kBottom - (std::log10(rate) - low_.y) / (high_.y - low_.y) * (kBottom - kTop)};
  }

  void line(Point a, Point b, const char* style) {
    svg_ += std::string("<line class=\"") + style + "\" x1=\"" + number(a.x) + "\" y1=\"" + number(a.y) + "\" x2=\"" +
            number(b.x) + "\" y2=\"" + number(b.y) + "\"/>\n";
  }

  void text(Point where, const std::string& content, const char* anchor, const std::string& more = "") {
    svg_ += "<text x=\"" + number(where.x) + "\" y=\"" + number(where.y) + "\" text-anchor=\"" + anchor + "\"" + more +
            ">" + html_text(content) + "</text>\n";
  }

  void draw_grid() {
    for (int decade = static_cast<int>(low_.x); decade <= high_.x; ++decade) {
      double x = at(std::pow(10, decade), 1).x;
      line({x, kTop}, {x, kBottom}, "grid");
      text({x, kBottom + 18}, decade_text(decade), "middle");
    }
    for (int decade = static_cast<int>(low_.y); decade <= high_.y; ++decade) {
      double y = at(1, std::pow(10, decade)).y;
      line({kLeft, y}, {kRight, y}, "grid");
      text({kLeft - 8, y + 4}, decade_text(decade - 9), "end");
    }
    text({(kLeft + kRight) / 2, kHeight - 10}, "FLOP per byte", "middle", " class=\"axis\"");
    std::string turn = " class=\"axis\" transform=\"rotate(-90 16 " + number((kTop + kBottom) / 2) + ")\"";
    text({16, (kTop + kBottom) / 2}, "GFLOP/s", "middle", turn);
  }

  void draw_slope(const machine::MemoryLevel& level) {
    double rate = bandwidth(level);
    double first = std::max(std::pow(10, low_.x), std::pow(10, low_.y) / rate);
    double last = std::min(std::pow(10, high_.x), ceiling_ / rate);
    if (first >= last) return;
    Point a = at(first, first * rate), b = at(last, last * rate);
    line(a, b, "roof");
    double angle = std::atan2(a.y - b.y, b.x - a.x) * 180 / std::numbers::pi;
    Point label = {a.x + 0.12 * (b.x - a.x), a.y + 0.12 * (b.y - a.y) - 5};
    std::string turn = " class=\"rooftext\" transform=\"rotate(" + number(-angle) + " " + number(label.x) + " " +
                       number(label.y) + ")\"";
    text(label, level.name + " " + format_fixed(rate / 1e9, 0) + " GB/s", "start", turn);
  }

  // From where the fastest memory reaches it.
  void draw_ceiling(const machine::Unit& unit) {
    double fastest = 0;
    for (const auto& level : explanation_.machine.memory) fastest = std::max(fastest, bandwidth(level));
    if (fastest <= 0) return;
    double first = std::max(std::pow(10, low_.x), peak(unit) / fastest);
    Point a = at(first, peak(unit)), b = {kRight, a.y};
    line(a, b, "roof");
    std::string label = unit.name + " " + format_fixed(peak(unit) / 1e9, 0) + " GFLOP/s";
    text({b.x - 4, b.y - 4}, label, "end", " class=\"rooftext\"");
    double width = kCharacter * static_cast<double>(label.size());
    names_.emplace_back(Point{b.x - 4 - width, b.y - 4}, width);
  }

  void circle(Point where, double radius, const char* style, const std::string& title) {
    svg_ += std::string("<circle class=\"") + style + "\" cx=\"" + number(where.x) + "\" cy=\"" + number(where.y) +
            "\" r=\"" + number(radius) + "\"><title>" + html_text(title) + "</title></circle>\n";
  }

  static double radius(const Dot& dot) { return 3 + 12 * std::sqrt(dot.share); }

  void draw_dot(const Dot& dot) {
    const auto& op = *dot.op;
    std::string title = op.op.name + ": predicted " + format_microseconds(op.cost.predicted_s) + " µs";
    if (op.measured_s) title += ", measured " + format_microseconds(*op.measured_s) + " µs";
    title += ", " + format_fixed(100 * dot.share, 1) + " % of the step";
    if (dot.measured > 0) {
      line(at(dot.intensity, dot.predicted), at(dot.intensity, dot.measured), "link");
      circle(at(dot.intensity, dot.measured), radius(dot), "measured", title);
    }
    circle(at(dot.intensity, dot.predicted), dot.measured > 0 ? 4 : radius(dot), "predicted", title);
  }

  bool is_free(Point label, double width) const {
    return label.x + width <= kRight && label.y > kTop + kLine && label.y < kBottom - 2 &&
           std::ranges::none_of(
               names_,
               [&](const auto& other) {
                 return std::abs(other.first.y - label.y) < kLine && label.x < other.first.x + other.second &&
                        other.first.x < label.x + width;
               });
  }

  struct Label {
    Point dot;
    double radius = 0;
    std::string name;
  };

  // The largest dots' names; those that lie on one another share a label.
  void draw_names() {
    std::vector<Label> labels;
    for (const auto& dot : dots_ | std::views::take(kNamedDots)) {
      Point where = at(dot.intensity, dot.rate());
      auto same = std::ranges::find_if(labels, [&](const Label& other) {
        return std::hypot(other.dot.x - where.x, other.dot.y - where.y) < kSamePlace;
      });
      if (same == labels.end()) {
        labels.push_back({where, radius(dot), dot.op->op.name});
      } else {
        same->name += ", " + dot.op->op.name;
      }
    }
    for (const Label& label : labels) draw_name(label);
  }

  // Beside the dot, on the left where the right is too narrow, and moved up or down until nothing else is in the way;
  // left out when there is no room.
  void draw_name(const Label& label) {
    double width = kCharacter * static_cast<double>(label.name.size()), gap = label.radius + 4;
    bool is_right = label.dot.x + gap + width <= kRight;
    double x = is_right ? label.dot.x + gap : label.dot.x - gap - width;
    for (int step = 0; step < 13; ++step) {
      Point where = {x, label.dot.y + 4 + (step % 2 == 1 ? 1 : -1) * ((step + 1) / 2) * kLine};
      if (!is_free(where, width)) continue;
      names_.emplace_back(where, width);
      return text({is_right ? x : x + width, where.y}, label.name, is_right ? "start" : "end", " class=\"name\"");
    }
  }

  const Explanation& explanation_;
  std::vector<Dot> dots_;
  double ceiling_ = 1;
  Point low_, high_;                             // powers of ten
  std::vector<std::pair<Point, double>> names_;  // where they start, and their widths
  std::string svg_;
};

}  // namespace

std::string roofline_svg(const Explanation& explanation) { return Plot(explanation).draw(); }

}  // namespace strata::cli
