// SPDX-License-Identifier: Apache-2.0
#include "cli/arena_svg.h"

#include <algorithm>

#include "cli/format.h"
#include "cli/html.h"

namespace strata::cli {
namespace {

class ArenaPlot {
 public:
  explicit ArenaPlot(const plan::ArenaMap& arena)
      : arena_(arena),
        ops_(static_cast<double>(std::max<std::size_t>(arena.ops.size(), 1))),
        bytes_(static_cast<double>(std::max<std::int64_t>(arena.bytes, 1))) {}

  std::string run() const {
    std::string svg = "<svg class=\"arena\" viewBox=\"0 0 " + format_fixed(kWidth, 0) + " " + format_fixed(kHeight, 0) +
                      "\" role=\"img\" preserveAspectRatio=\"none\" aria-label=\"Buffers over time\">\n";
    for (const plan::ArenaMap::Buffer& buffer : arena_.buffers) svg += rectangle(buffer);
    svg += line("roof", static_cast<double>(arena_.lower_bound)) + line("peak", bytes_);
    return svg + "</svg>\n";
  }

 private:
  static constexpr double kWidth = 960, kHeight = 280, kLeft = 0, kTop = 8, kRight = 0, kBottom = 8;

  double x(double op) const { return kLeft + op / ops_ * (kWidth - kLeft - kRight); }
  double y(double offset) const { return kHeight - kBottom - offset / bytes_ * (kHeight - kTop - kBottom); }

  static std::string number(const char* name, double value) {
    return std::string(" ") + name + "=\"" + format_fixed(value, 2) + "\"";
  }

  std::string line(const std::string& css_class, double offset) const {
    return "<line class=\"" + css_class + "\"" + number("x1", kLeft) + number("x2", kWidth - kRight) +
           number("y1", y(offset)) + number("y2", y(offset)) + "/>\n";
  }

  std::string op_name(std::int64_t op) const {
    const auto at = static_cast<std::size_t>(op);
    return at < arena_.ops.size() ? arena_.ops[at] : std::to_string(op);
  }

  std::string rectangle(const plan::ArenaMap::Buffer& buffer) const {
    const double left = x(static_cast<double>(buffer.first)), right = x(static_cast<double>(buffer.last + 1));
    const double bottom = y(static_cast<double>(buffer.offset));
    const double top = y(static_cast<double>(buffer.offset + buffer.bytes));
    const std::string title = buffer.name + ": " + format_bytes(buffer.bytes) + " at " + std::to_string(buffer.offset) +
                              ", from " + op_name(buffer.first) + " to " + op_name(buffer.last);
    return "<rect class=\"buffer\"" + number("x", left) + number("y", top) + number("width", right - left) +
           number("height", bottom - top) + "><title>" + html_text(title) + "</title></rect>\n";
  }

  const plan::ArenaMap& arena_;
  const double ops_, bytes_;
};

}  // namespace

std::string arena_svg(const plan::ArenaMap& arena) { return ArenaPlot(arena).run(); }

}  // namespace strata::cli
