// SPDX-License-Identifier: Apache-2.0
#include "cli/accuracy_svg.h"

#include <algorithm>
#include <cmath>

#include "cli/format.h"
#include "cli/headline.h"
#include "cli/html.h"
#include "cli/layer_html.h"
#include "cli/op_limits.h"
#include "cli/svg.h"

namespace strata::cli {
namespace {

constexpr double kSize = 440, kLeft = 52, kRight = 430, kTop = 12, kBottom = 390;

class Scatter {
 public:
  explicit Scatter(std::span<const Explanation> steps) : steps_(steps) {
    for_each([&](const Explanation&, std::size_t, double predicted, double measured) {
      const double less = std::log10(std::min(predicted, measured)), more = std::log10(std::max(predicted, measured));
      low_ = is_empty_ ? less : std::min(low_, less);
      high_ = is_empty_ ? more : std::max(high_, more);
      is_empty_ = false;
    });
    low_ = std::floor(low_);
    high_ = std::max(std::ceil(high_), low_ + 1);
  }

  std::string draw() {
    if (is_empty_) return "";
    svg_ = svg_begin("accuracy", kSize, kSize, "Measured over predicted times");
    draw_grid();
    draw_equal(1, "equal");
    draw_equal(2, "grid twice");
    draw_equal(0.5, "grid twice");
    for_each([&](const Explanation& step, std::size_t i, double predicted, double measured) {
      draw_dot(step, i, predicted, measured);
    });
    return svg_ + "</svg>\n";
  }

 private:
  // Microseconds.
  template <class Visit>
  void for_each(const Visit& visit) const {
    for (const Explanation& step : steps_) {
      for (std::size_t i = 0; i < step.ops.size(); ++i) {
        const ExplainedOp& op = step.ops[i];
        const double measured = op.measured_s.value_or(0);
        if (measured > 0 && op.cost.predicted_s > 0) visit(step, i, 1e6 * op.cost.predicted_s, 1e6 * measured);
      }
    }
  }

  double x(double microseconds) const {
    return kLeft + (std::log10(microseconds) - low_) / (high_ - low_) * (kRight - kLeft);
  }
  double y(double microseconds) const {
    return kBottom - (x(microseconds) - kLeft) / (kRight - kLeft) * (kBottom - kTop);
  }

  void draw_grid() {
    for (int decade = static_cast<int>(low_); decade <= high_; ++decade) {
      const double at = std::pow(10, decade);
      const std::string label = decade < 0 ? format_fixed(at, -decade) : format_fixed(at, 0);
      svg_ += svg_line(x(at), kTop, x(at), kBottom, "grid") + svg_line(kLeft, y(at), kRight, y(at), "grid");
      svg_ += svg_text(x(at), kBottom + 16, label, decade == high_ ? "end" : "middle");
      svg_ += svg_text(kLeft - 6, y(at) + 4, label, "end");
    }
    svg_ += svg_text((kLeft + kRight) / 2, kSize - 8, "predicted µs", "middle", " class=\"axis\"");
    svg_ += svg_text(12, (kTop + kBottom) / 2, "measured µs", "middle",
                     " class=\"axis\" transform=\"rotate(-90 12 " + svg_number((kTop + kBottom) / 2) + ")\"");
  }

  // Where the measured time is so many times the predicted one.
  void draw_equal(double factor, const char* css_class) {
    const double shift = std::log10(factor);
    const double first = std::max(low_, low_ - shift), last = std::min(high_, high_ - shift);
    const double from = std::pow(10, first), to = std::pow(10, last);
    svg_ += svg_line(x(from), y(from * factor), x(to), y(to * factor), css_class);
  }

  void draw_dot(const Explanation& step, std::size_t i, double predicted, double measured) {
    const std::string anchor = op_anchor(step, i), name = step_name(step);
    const std::string title = name + ", " + step.ops[i].op.name + ": predicted " +
                              format_microseconds(predicted / 1e6) + " µs, measured " +
                              format_microseconds(measured / 1e6) + " µs";
    const double radius = 3.5 + 9 * std::sqrt(share_of(step.ops[i], step));
    svg_ += "<a class=\"dot " + name + "\" href=\"#" + anchor + "\" data-op=\"" + anchor + "\"><title>" +
            html_text(title) + "</title><circle class=\"measured\" cx=\"" + svg_number(x(predicted)) + "\" cy=\"" +
            svg_number(y(measured)) + "\" r=\"" + svg_number(radius) + "\"/></a>\n";
  }

  std::span<const Explanation> steps_;
  bool is_empty_ = true;
  double low_ = 0, high_ = 0;  // powers of ten
  std::string svg_;
};

}  // namespace

std::string accuracy_svg(std::span<const Explanation> steps) { return Scatter(steps).draw(); }

}  // namespace strata::cli
