// SPDX-License-Identifier: Apache-2.0
#include "cli/mesh_html.h"

#include <algorithm>
#include <cmath>

#include "cli/format.h"
#include "cli/html.h"

namespace strata::cli {
namespace {

using distribution::DistributionPlan;
using distribution::PhasePlan;
using distribution::PlacedCollective;
using distribution::PlacedOp;

constexpr int kMostDrawn = 8;  // devices of an axis
constexpr int kSide = 16;      // of a device's square

std::string cell(const std::string& content, const std::string& attributes = "") {
  return "<td" + attributes + ">" + content + "</td>";
}

std::string rectangle(double x, double y, double width, double height, const std::string& css_class) {
  return "<rect x=\"" + format_fixed(x, 1) + "\" y=\"" + format_fixed(y, 1) + "\" width=\"" + format_fixed(width, 1) +
         "\" height=\"" + format_fixed(height, 1) + "\" class=\"" + css_class + "\"/>";
}

// A square for each device: filled where it has all, in its part where it has one, half-transparent where it has a
// summand.
std::string devices_svg(const ir::Sbp& sbp, int extent) {
  const int drawn = std::min(extent, kMostDrawn);
  std::string squares;
  for (int i = 0; i < drawn; ++i) {
    const double x = i * (kSide + 2) + 1, part = static_cast<double>(kSide) / drawn;
    if (sbp.is_broadcast()) squares += rectangle(x, 1, kSide, kSide, "whole");
    if (sbp.is_partial()) squares += rectangle(x, 1, kSide, kSide, "sum");
    if (sbp.is_split()) squares += rectangle(x, 1 + i * part, kSide, part, "part");
    squares += rectangle(x, 1, kSide, kSide, "device");
  }
  const std::string width = std::to_string(drawn * (kSide + 2)), height = std::to_string(kSide + 2);
  return "<svg class=\"devices\" viewBox=\"0 0 " + width + " " + height + "\">" + squares + "</svg> <code>" +
         html_text(distribution::text_of(sbp)) + "</code>";
}

std::string time_cells(double seconds, double count, double all) {
  const std::string share = format_fixed(all > 0 ? 100 * seconds / all : 0, 1);
  return cell(format_microseconds(seconds / count) + " µs", " class=\"n\"") +
         cell("<div class=\"bar\" style=\"width: " + share + "%\"></div>", " class=\"share\"");
}

std::string collective_row(const PlacedCollective& collective, std::size_t axes, double all) {
  const std::string text = collective.kind + " over " + collective.axis + ", " +
                           format_bytes(std::llround(collective.bytes)) + " sent: " + collective.from + " → " +
                           collective.to;
  return "<tr class=\"collective\">" + cell(html_text(text), " colspan=\"" + std::to_string(axes + 1) + "\"") +
         time_cells(collective.seconds, collective.count, all) + "</tr>\n";
}

std::string op_row(const PlacedOp& op, const distribution::Mesh& mesh, double all) {
  std::string row = "<tr>" + cell(html_text(op.name));
  for (std::size_t axis = 0; axis < mesh.size(); ++axis) row += cell(devices_svg(op.state[axis], mesh[axis].extent));
  return row + time_cells(op.seconds, op.count, all) + "</tr>\n";
}

// Views have no time, and are left out; collectives stand behind what they move.
std::string phase_table(const DistributionPlan& plan, const PhasePlan& phase) {
  std::string head = "<th>op</th>", rows;
  for (const machine::MeshAxis& axis : plan.mesh) {
    head += "<th>" + html_text(axis.name) + " x " + std::to_string(axis.extent) + "</th>";
  }
  const double all = phase.seconds();
  std::vector<bool> is_drawn(phase.collectives.size());
  const auto draw = [&](const std::string& value) {
    for (std::size_t i = 0; i < phase.collectives.size(); ++i) {
      if (is_drawn[i] || (phase.collectives[i].value != value && !value.empty())) continue;
      is_drawn[i] = true;
      rows += collective_row(phase.collectives[i], plan.mesh.size(), all);
    }
  };
  for (const PlacedOp& op : phase.ops) {
    if (op.seconds > 0) rows += op_row(op, plan.mesh, all);
    draw(op.name);
  }
  draw("");
  return "<div class=\"scroll\"><table>\n<thead><tr>" + head +
         "<th class=\"n\">each</th><th>of the step</th></tr></thead>\n<tbody>\n" + rows + "</tbody></table></div>\n";
}

}  // namespace

std::string mesh_html(const MeshReport& report) {
  const DistributionPlan& plan = report.planned.plan;
  std::string body = "<pre class=\"lines\">" + html_text(mesh_heading(report)) + "</pre>\n";
  for (const PhasePlan& phase : plan.phases)
    body += "<h2>" + html_text(phase.name) + "</h2>\n" + phase_table(plan, phase);
  const std::string title = report.model + " on " + report.planned.machine.name;
  return html_page(title, element("h1", html_text(title)) + "\n" + body);
}

}  // namespace strata::cli
