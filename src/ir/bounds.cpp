// SPDX-License-Identifier: Apache-2.0
#include "ir/bounds.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/error.h"
#include "ir/scalar.h"

namespace strata::ir {
namespace {

using Kind = ScalarExpr::Kind;

// A sum of unlike things that are read, and a constant.
struct LinearForm {
  std::vector<std::pair<const ScalarExpr*, double>> parts;
  double constant = 0;
};

class Distance {
 public:
  Distance(const Op& op, const Attributes& attributes) : op_(op), attributes_(attributes) {}

  // a - b, where it depends on no data.
  std::optional<double> between(const ScalarExpr& a, const ScalarExpr& b) const {
    LinearForm form;
    add(a, 1, form);
    add(b, -1, form);
    const bool is_known = std::ranges::all_of(form.parts, [](const auto& part) { return part.second == 0; });
    return is_known ? std::optional(form.constant) : std::nullopt;
  }

 private:
  void add(const ScalarExpr& expr, double factor, LinearForm& form) const {
    if (expr.kind == Kind::kConstant || expr.kind == Kind::kAttribute) {
      form.constant += factor * number_of(op_, attributes_, expr);
    } else if (expr.kind == Kind::kCall && (expr.name == "add" || expr.name == "sub")) {
      add(expr.arguments[0], factor, form);
      add(expr.arguments[1], expr.name == "add" ? factor : -factor, form);
    } else {
      add_part(expr, factor, form);
    }
  }

  static void add_part(const ScalarExpr& expr, double factor, LinearForm& form) {
    const auto same = std::ranges::find_if(form.parts, [&](const auto& part) { return *part.first == expr; });
    if (same == form.parts.end()) {
      form.parts.emplace_back(&expr, factor);
    } else {
      same->second += factor;
    }
  }

  const Op& op_;
  const Attributes& attributes_;
};

}  // namespace

double number_of(const Op& op, const Attributes& attributes, const ScalarExpr& expr) {
  if (expr.kind == Kind::kConstant) return expr.value;
  if (expr.kind == Kind::kAttribute) return float_attribute(op, attributes, expr.name);
  STRATA_CHECK(expr.kind == Kind::kCall, op.name() + ": no number, but data");
  std::array<double, 3> arguments{};
  for (std::size_t i = 0; i < expr.arguments.size(); ++i) arguments[i] = number_of(op, attributes, expr.arguments[i]);
  return evaluate_scalar(*find_scalar_function(expr.name), arguments[0], arguments[1], arguments[2]);
}

double bounded_extent(const Op& op, const Attributes& attributes, const LoopNest& nest, int iterator,
                      const std::vector<Bound>& bounds) {
  auto extent = static_cast<double>(nest.iterators[static_cast<std::size_t>(iterator)].extent.max());
  const Distance distance(op, attributes);
  for (const Bound& upper : bounds) {
    for (const Bound& lower : bounds) {
      if (!upper.is_upper || lower.is_upper || upper.iterator != iterator || lower.iterator != iterator) continue;
      const auto apart = distance.between(upper.value, lower.value);
      if (apart) extent = std::clamp(*apart + 1, 0.0, extent);
    }
  }
  return extent;
}

}  // namespace strata::ir
