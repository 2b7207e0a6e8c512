// SPDX-License-Identifier: Apache-2.0
#include "schedule/view.h"

#include <algorithm>

#include "base/error.h"
#include "ir/constants.h"
#include "ir/memory.h"
#include "ir/op.h"

namespace strata::schedule {
namespace {

using ir::Dim;

// Axes that run through memory as one: `extent` elements at a distance of `stride`.
struct Run {
  Dim extent;
  Dim stride;
};

std::optional<Dim> divide(const Dim& a, const Dim& b) {
  if (a.factor() % b.factor() != 0) return std::nullopt;
  if (b.is_constant()) return Dim(a.factor() / b.factor(), a.symbols());
  if (!a.has_symbols_of(b)) return std::nullopt;
  return Dim(a.factor() / b.factor());
}

// Innermost first, without axes of one element.
std::vector<Run> runs_of(const ir::Shape& shape, const Strides& strides) {
  std::vector<Run> runs;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    if (shape[axis] == Dim(1)) continue;
    const bool continues = !runs.empty() && runs.back().stride * runs.back().extent == strides[axis];
    if (continues) {
      runs.back().extent = runs.back().extent * shape[axis];
    } else {
      runs.push_back({shape[axis], strides[axis]});
    }
  }
  return runs;
}

// Each axis of the result must be a part of one run.
std::optional<Strides> reshaped(const ir::Shape& from, const Strides& strides, const ir::Shape& to) {
  std::vector<Run> runs = runs_of(from, strides);
  Strides result(to.size(), Dim(1));
  auto run = runs.begin();
  for (std::size_t axis = to.size(); axis-- > 0;) {
    if (to[axis] == Dim(1)) continue;
    if (run == runs.end()) return std::nullopt;
    const std::optional<Dim> rest = divide(run->extent, to[axis]);
    if (!rest) return std::nullopt;
    result[axis] = run->stride;
    *run = {*rest, run->stride * to[axis]};
    if (*rest == Dim(1)) ++run;
  }
  return result;
}

// The distance along an axis of one element is never used: it becomes what makes the axes around it run as one.
void normalise(const ir::Shape& shape, Strides& strides) {
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    if (!(shape[axis] == Dim(1))) continue;
    const bool innermost = axis + 1 == shape.size();
    strides[axis] = innermost ? Dim(1) : strides[axis + 1] * shape[axis + 1];
  }
}

bool has_negative(const Strides& strides) {
  return std::ranges::any_of(strides, [](const Dim& stride) { return stride.factor() < 0; });
}

std::optional<View> view_by_map(const ir::Expr& value, const View& operand) {
  const ir::TensorType& from = value.arguments[0]->type();
  std::vector<ir::TensorType> types;
  for (const ir::Expr* argument : value.arguments) types.push_back(argument->type());
  const auto loops = value.op->loops(types, value.attributes);
  if (!loops || loops->stages.size() != 1 || !ir::is_plain(*loops) || loops->result().combiner != ir::Combiner::kNone)
    return std::nullopt;
  const ir::ScalarExpr& body = loops->result().body;
  if (body.kind != ir::ScalarExpr::Kind::kOperand || body.number != 0 || from.dtype != value.type().dtype) {
    return std::nullopt;
  }
  const auto access = strided_access(body, operand.strides, loops->iterators.size());
  if (!access || !access->divided.empty() || has_negative(access->strides) || access->offset < 0 ||
      !access->symbolic_offsets.empty()) {
    return std::nullopt;
  }
  View view{access->offset, {}, false};
  for (const int iterator : loops->result().target) view.strides.push_back(access->strides[iterator]);
  normalise(value.type().shape, view.strides);
  return view;
}

std::optional<View> view_by_order(const ir::Expr& value, const View& operand) {
  const ir::TensorType& from = value.arguments[0]->type();
  if (is_contiguous(operand, from)) {
    return View{0, row_major_strides(value.type().shape), operand.whole};
  }
  auto strides = reshaped(from.shape, operand.strides, value.type().shape);
  if (!strides) return std::nullopt;
  normalise(value.type().shape, *strides);
  return View{0, std::move(*strides), false};
}

}  // namespace

View own_memory(const ir::TensorType& type) {
  if (!ir::is_row_major_in_memory(type)) return {};
  return {0, row_major_strides(type.shape), true};
}

std::optional<View> view_of(const ir::Expr& value, const View& operand) {
  if (value.kind != ir::Expr::Kind::kOp || value.arguments.empty()) return std::nullopt;
  if (ir::is_view_by_contract(value)) return view_by_order(value, operand);
  const bool has_strides = operand.strides.size() == value.arguments[0]->type().shape.size();
  const ir::TensorType& from = value.arguments[0]->type();
  const bool is_plain = ir::is_row_major_in_memory(from) && ir::is_row_major_in_memory(value.type());
  if (!has_strides || !is_plain) return std::nullopt;
  return ir::changes_lanes_only(value) ? std::optional(View{0, operand.strides, operand.whole})
                                       : view_by_map(value, operand);
}

bool is_contiguous(const View& view, const ir::TensorType& type, std::size_t first_axis) {
  if (view.strides.size() != type.shape.size()) return true;
  Dim expected = 1;
  for (std::size_t axis = type.shape.size(); axis-- > first_axis;) {
    if (type.shape[axis] == Dim(1)) continue;
    if (!(view.strides[axis] == expected)) return false;
    if (axis == first_axis) return true;
    expected = expected * type.shape[axis];
  }
  return true;
}

std::int64_t span_bytes(const View& view, const ir::TensorType& type) {
  if (view.strides.size() != type.shape.size()) return ir::max_bytes(type);
  std::int64_t last = 0;
  for (std::size_t axis = 0; axis < type.shape.size(); ++axis) {
    last += (type.shape[axis].max() - 1) * view.strides[axis].max();
  }
  return (last + 1) * dtype_size(type.dtype);
}

std::string to_text(const View& view) {
  std::string text;
  for (const Dim& stride : view.strides) text += (text.empty() ? "" : ", ") + stride.text();
  return "[" + text + "]" + (view.offset == 0 ? "" : " at " + std::to_string(view.offset));
}

}  // namespace strata::schedule
