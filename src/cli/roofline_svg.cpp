// SPDX-License-Identifier: Apache-2.0
#include "cli/roofline_svg.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "cli/format.h"
#include "cli/headline.h"
#include "cli/html.h"
#include "cli/layer_html.h"
#include "cli/op_limits.h"
#include "cli/svg.h"
#include "machine/cost.h"

namespace strata::cli {
namespace {

constexpr double kCharacter = 6.2, kLine = 13;  // of the labels' font
constexpr double kSamePlace = 10;               // distance of dots that share a label
constexpr double kRing = 4;                     // radius of a prediction beside a measurement

// Of the drawing.
struct Frame {
  const char* css_class;
  double width, height, left, right, top, bottom;
  int names;  // most labels
};

constexpr Frame kWide = {"roofline wide", 1100, 520, 64, 1084, 16, 470, 14};
constexpr Frame kNarrow = {"roofline narrow", 380, 420, 46, 372, 14, 376, 4};

// 1e-3 as "0.001", 1000 as "1000".
std::string decade_text(int exponent) {
  return exponent < 0 ? format_fixed(std::pow(10, exponent), -exponent) : format_fixed(std::pow(10, exponent), 0);
}

struct Point {
  double x = 0, y = 0;
};

struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
  bool meets(const Box& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

struct Dot {
  const Explanation* step = nullptr;
  const ExplainedOp* op = nullptr;
  std::string anchor;
  double intensity = 0;  // FLOP per byte
  double predicted = 0;  // FLOP/s
  double measured = 0;   // FLOP/s; 0: not measured
  double share = 0;      // of the step's time
  double rate() const { return measured > 0 ? measured : predicted; }
};

std::vector<Dot> dots_of(std::span<const Explanation> steps) {
  std::vector<Dot> dots;
  for (const Explanation& step : steps) {
    for (std::size_t i = 0; i < step.ops.size(); ++i) {
      const ExplainedOp& op = step.ops[i];
      if (op.cost.flops <= 0 || op.cost.bytes <= 0 || op.cost.predicted_s <= 0) continue;
      if (!std::isfinite(op.cost.flops / op.cost.bytes) || !std::isfinite(op.cost.flops / op.cost.predicted_s))
        continue;
      const double measured_s = op.measured_s.value_or(0);
      dots.push_back({&step, &op, op_anchor(step, i), op.cost.flops / op.cost.bytes,
                      op.cost.flops / op.cost.predicted_s, measured_s > 0 ? op.cost.flops / measured_s : 0,
                      share_of(op, step)});
    }
  }
  std::ranges::sort(dots, {}, [](const Dot& dot) { return std::pair(-dot.share, dot.anchor); });
  return dots;
}

// "gate_proj_and_up_proj + …": without the function, and the first op of a region alone.
std::string short_name(const plan::Op& op) {
  std::string name = op.name;
  const std::string prefix = op.function + ".";
  if (name.starts_with(prefix)) name.erase(0, prefix.size());
  const std::size_t more = name.find(" + ");
  return more == std::string::npos ? name : name.substr(0, more) + " + …";
}

double text_width(const std::string& text) { return kCharacter * static_cast<double>(display_width(text)); }

class Plot {
 public:
  Plot(std::span<const Explanation> steps, const Frame& frame)
      : steps_(steps), machine_(steps[0].machine), frame_(frame), dots_(dots_of(steps)) {
    for (const auto& unit : machine_.units) ceiling_ = std::max(ceiling_, peak(unit));
    choose_ranges();
  }

  std::string draw() {
    svg_ = svg_begin(frame_.css_class, frame_.width, frame_.height, "Roofline plot");
    draw_grid();
    for (const auto& level : machine_.memory) draw_slope(level);
    for (const auto& unit : machine_.units) draw_ceiling(unit);
    for (const auto& dot : dots_) {
      taken_.push_back(around(at(dot.intensity, dot.rate()), radius(dot)));
      if (dot.measured > 0) taken_.push_back(around(at(dot.intensity, dot.predicted), kRing));
    }
    // Small dots last, so that large ones don't hide them.
    for (const auto& dot : dots_) draw_dot(dot);
    draw_names();
    return svg_ + "</svg>\n";
  }

 private:
  double peak(const machine::Unit& unit) const { return unit.ops_per_s * steps_[0].threads; }
  double bandwidth(const machine::MemoryLevel& level) const {
    return machine::bandwidth(level, std::min(steps_[0].threads, machine_.cores));
  }

  // Whole decades around the ops, the highest ceiling, and the ridge of the slowest memory.
  void choose_ranges() {
    double low_x = 0.1, high_x = 10, low_y = ceiling_ / 100;
    if (!machine_.memory.empty()) high_x = std::max(high_x, ceiling_ / bandwidth(machine_.memory.back()));
    for (const auto& dot : dots_) {
      low_x = std::min(low_x, dot.intensity);
      high_x = std::max(high_x, dot.intensity);
      low_y = std::min(low_y, std::min(dot.predicted, dot.rate()));
    }
    low_ = {std::floor(std::log10(low_x)), std::floor(std::log10(std::max(low_y, 1.0)))};
    high_ = {std::ceil(std::log10(high_x) + 0.1), std::log10(ceiling_) + 0.3};
  }

  Point at(double intensity, double rate) const {
    return {frame_.left + (std::log10(intensity) - low_.x) / (high_.x - low_.x) * (frame_.right - frame_.left),
            frame_.bottom - (std::log10(rate) - low_.y) / (high_.y - low_.y) * (frame_.bottom - frame_.top)};
  }

  void line(Point a, Point b, const char* style) { svg_ += svg_line(a.x, a.y, b.x, b.y, style); }

  void text(Point where, const std::string& content, const char* anchor, const std::string& more = "") {
    svg_ += svg_text(where.x, where.y, content, anchor, more);
  }

  void draw_grid() {
    for (int decade = static_cast<int>(low_.x); decade <= high_.x; ++decade) {
      double x = at(std::pow(10, decade), 1).x;
      line({x, frame_.top}, {x, frame_.bottom}, "grid");
      text({x, frame_.bottom + 16}, decade_text(decade), decade == high_.x ? "end" : "middle");
    }
    for (int decade = static_cast<int>(low_.y); decade <= high_.y; ++decade) {
      double y = at(1, std::pow(10, decade)).y;
      line({frame_.left, y}, {frame_.right, y}, "grid");
      text({frame_.left - 6, y + 4}, decade_text(decade - 9), "end");
    }
    text({(frame_.left + frame_.right) / 2, frame_.height - 8}, "FLOP per byte", "middle", " class=\"axis\"");
    const double middle = (frame_.top + frame_.bottom) / 2;
    text({12, middle}, "GFLOP/s", "middle", " class=\"axis\" transform=\"rotate(-90 12 " + svg_number(middle) + ")\"");
  }

  void draw_slope(const machine::MemoryLevel& level) {
    double rate = bandwidth(level);
    double first = std::max(std::pow(10, low_.x), std::pow(10, low_.y) / rate);
    double last = std::min(std::pow(10, high_.x), ceiling_ / rate);
    if (first >= last) return;
    Point a = at(first, first * rate), b = at(last, last * rate);
    line(a, b, "roof");
    const double length = std::hypot(b.x - a.x, b.y - a.y);
    const Point step = {(b.x - a.x) / length, (b.y - a.y) / length};
    const double angle = std::atan2(a.y - b.y, b.x - a.x) * 180 / std::numbers::pi;
    const std::string content = level.name + " " + format_fixed(rate / 1e9, 0) + " GB/s";
    const double begin = 0.1 * length, width = text_width(content);
    if (begin + width > length) return;
    const Point label = {a.x + begin * step.x + 5 * step.y, a.y + begin * step.y - 5 * step.x};
    text(label, content, "start",
         " class=\"rooftext\" transform=\"rotate(" + svg_number(-angle) + " " + svg_number(label.x) + " " +
             svg_number(label.y) + ")\"");
    for (double along = 0; along < width; along += kLine / 2) {
      taken_.push_back(around({label.x + along * step.x, label.y + along * step.y - 4}, kLine / 2));
    }
  }

  // From where the fastest memory reaches it.
  void draw_ceiling(const machine::Unit& unit) {
    double fastest = 0;
    for (const auto& level : machine_.memory) fastest = std::max(fastest, bandwidth(level));
    if (fastest <= 0) return;
    double first = std::max(std::pow(10, low_.x), peak(unit) / fastest);
    Point a = at(first, peak(unit)), b = {frame_.right, a.y};
    line(a, b, "roof");
    taken_.push_back({a.x, a.y - 1, b.x, a.y + 1});
    std::string label = unit.name + " " + format_fixed(peak(unit) / 1e9, 0) + " GFLOP/s";
    text({b.x - 4, b.y - 4}, label, "end", " class=\"rooftext\"");
    taken_.push_back({b.x - 4 - text_width(label), b.y - 4 - kLine, b.x, b.y + 2});
  }

  static Box around(Point where, double radius) {
    return {where.x - radius, where.y - radius, where.x + radius, where.y + radius};
  }

  static double radius(const Dot& dot) { return 3.5 + 13 * std::sqrt(dot.share); }

  std::string circle(Point where, double radius, const std::string& style) const {
    return "<circle class=\"" + style + "\" cx=\"" + svg_number(where.x) + "\" cy=\"" + svg_number(where.y) +
           "\" r=\"" + svg_number(radius) + "\"/>";
  }

  void draw_dot(const Dot& dot) {
    const auto& op = *dot.op;
    std::string title =
        step_name(*dot.step) + ", " + op.op.name + ": predicted " + format_microseconds(op.cost.predicted_s) + " µs";
    if (op.measured_s) title += ", measured " + format_microseconds(*op.measured_s) + " µs";
    title += ", " + format_fixed(100 * dot.share, 1) + " % of the step, " + format_fixed(dot.rate() / 1e9, 1) +
             " GFLOP/s at " + format_fixed(dot.intensity, 2) + " FLOP per byte";
    svg_ += "<a class=\"dot " + step_name(*dot.step) + "\" href=\"#" + dot.anchor + "\" data-op=\"" + dot.anchor +
            "\"><title>" + html_text(title) + "</title>";
    const Point predicted = at(dot.intensity, dot.predicted);
    if (dot.measured > 0) {
      const Point measured = at(dot.intensity, dot.measured);
      svg_ += svg_line(predicted.x, predicted.y, measured.x, measured.y, "link");
      svg_ += circle(predicted, kRing, "predicted") + circle(measured, radius(dot), "measured");
    } else {
      svg_ += circle(predicted, radius(dot), "predicted");
    }
    svg_ += "</a>\n";
  }

  struct Label {
    Point dot;
    double radius = 0;
    std::string name;
    int more = 0;
  };

  // The largest dots' names; those that lie on one another share a label.
  void draw_names() {
    std::vector<Label> labels;
    for (const auto& dot : dots_) {
      Point where = at(dot.intensity, dot.rate());
      auto same = std::ranges::find_if(labels, [&](const Label& other) {
        return std::hypot(other.dot.x - where.x, other.dot.y - where.y) < kSamePlace;
      });
      if (same != labels.end()) {
        ++same->more;
      } else if (std::ssize(labels) < frame_.names) {
        labels.push_back({where, radius(dot), short_name(dot.op->op)});
      }
    }
    for (const Label& label : labels) draw_name(label);
  }

  bool is_free(const Box& box) const {
    return box.left >= frame_.left && box.right <= frame_.right && box.top >= frame_.top &&
           box.bottom <= frame_.bottom &&
           std::ranges::none_of(taken_, [&](const Box& other) { return other.meets(box); });
  }

  // Beside the dot, moved up or down until nothing else is in the way, with a line to the dot; left out when there is
  // no room.
  void draw_name(const Label& label) {
    const std::string name = label.more == 0 ? label.name : label.name + ", " + std::to_string(label.more) + " more";
    const double width = text_width(name), gap = label.radius + 4;
    for (int step = 0; step < 15; ++step) {
      const double y = label.dot.y + 4 + (step % 2 == 1 ? 1 : -1) * ((step + 1) / 2) * kLine;
      for (const bool is_right : {true, false}) {
        const double left = is_right ? label.dot.x + gap : label.dot.x - gap - width;
        const Box box = {left - 3, y - kLine + 2, left + width + 3, y + 3};
        if (!is_free(box)) continue;
        taken_.push_back(box);
        const double end = is_right ? left - 1 : left + width + 1;
        if (step > 2) line({label.dot.x, label.dot.y}, {end, y - 4}, "leader");
        return text({is_right ? left : left + width, y}, name, is_right ? "start" : "end", " class=\"name\"");
      }
    }
  }

  std::span<const Explanation> steps_;
  const machine::Machine& machine_;
  const Frame& frame_;
  std::vector<Dot> dots_;
  double ceiling_ = 1;
  Point low_, high_;        // powers of ten
  std::vector<Box> taken_;  // where no label may be
  std::string svg_;
};

}  // namespace

std::string roofline_svg(std::span<const Explanation> steps) {
  return Plot(steps, kWide).draw() + Plot(steps, kNarrow).draw();
}

}  // namespace strata::cli
