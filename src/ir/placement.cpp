// SPDX-License-Identifier: Apache-2.0
#include "ir/placement.h"

#include <algorithm>

#include "base/error.h"

namespace strata::ir {
namespace {

const char* partial_text(Combiner combiner) {
  switch (combiner) {
    case Combiner::kSum:
      return "P";
    case Combiner::kMax:
      return "P(max)";
    case Combiner::kMin:
      return "P(min)";
    case Combiner::kProduct:
      return "P(product)";
    case Combiner::kTuple:
      return "P(softmax)";
    case Combiner::kNone:
      break;
  }
  STRATA_CHECK(false, "no parts of a tensor are combined so");
  return "";
}

}  // namespace

std::string Sbp::text() const {
  if (is_broadcast()) return "B";
  return is_split() ? "S(" + std::to_string(axis) + ")" : partial_text(combiner);
}

Sbp Placement::on(const std::string& mesh_axis) const {
  const auto found = std::ranges::find(axes, mesh_axis, &AxisPlacement::mesh_axis);
  return found == axes.end() ? Sbp{} : found->sbp;
}

void Placement::set(const std::string& mesh_axis, const Sbp& sbp) {
  const auto at = std::ranges::lower_bound(axes, mesh_axis, {}, &AxisPlacement::mesh_axis);
  const bool is_there = at != axes.end() && at->mesh_axis == mesh_axis;
  if (sbp.is_broadcast()) {
    if (is_there) axes.erase(at);
  } else if (is_there) {
    at->sbp = sbp;
  } else {
    axes.insert(at, {mesh_axis, sbp});
  }
}

std::string Placement::text() const {
  std::string out;
  for (const AxisPlacement& axis : axes) out += (out.empty() ? "{" : ", ") + axis.mesh_axis + ": " + axis.sbp.text();
  return out.empty() ? out : out + "}";
}

}  // namespace strata::ir
