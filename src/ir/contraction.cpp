// SPDX-License-Identifier: Apache-2.0
#include "ir/contraction.h"

#include <algorithm>

#include "base/ranges.h"

namespace strata::ir {
namespace {

// The iterator that an index is, and nothing else.
std::optional<int> bare_iterator(const IndexMap& index) {
  if (!is_affine(index)) return std::nullopt;
  std::optional<int> found;
  for (std::size_t i = 0; i < index.coefficients.size(); ++i) {
    if (index.coefficients[i] == 0) continue;
    if (index.coefficients[i] != 1 || found) return std::nullopt;
    found = static_cast<int>(i);
  }
  return index.constant == 0 ? found : std::nullopt;
}

// The iterator of each axis, no two axes having the same.
std::optional<std::vector<int>> axes_of(const ScalarExpr& access) {
  std::vector<int> axes;
  for (const IndexMap& index : access.index) {
    const auto iterator = bare_iterator(index);
    if (!iterator || contains(axes, *iterator)) return std::nullopt;
    axes.push_back(*iterator);
  }
  return axes;
}

std::optional<IteratorClass> class_of(bool in_left, bool in_right, bool in_result) {
  if (in_left && in_right) return in_result ? IteratorClass::kBatch : IteratorClass::kK;
  if (!in_result || in_left == in_right) return std::nullopt;
  return in_left ? IteratorClass::kM : IteratorClass::kN;
}

}  // namespace

std::optional<int> Contraction::only(IteratorClass wanted) const {
  if (std::ranges::count(classes, wanted) != 1) return std::nullopt;
  return static_cast<int>(std::ranges::find(classes, wanted) - classes.begin());
}

std::optional<Contraction> contraction(const LoopNest& nest) {
  const Stage& stage = nest.result();
  if (nest.stages.size() != 1 || !is_plain(nest) || stage.combiner != Combiner::kSum || stage.target.empty())
    return std::nullopt;
  if (stage.body.kind != ScalarExpr::Kind::kCall || stage.body.name != "mul") return std::nullopt;
  const ScalarExpr* left = &stage.body.arguments[0];
  const ScalarExpr* right = &stage.body.arguments[1];
  const bool are_operands = left->kind == ScalarExpr::Kind::kOperand && right->kind == ScalarExpr::Kind::kOperand;
  if (!are_operands || left->number == right->number) return std::nullopt;
  auto left_axes = axes_of(*left);
  auto right_axes = axes_of(*right);
  if (!left_axes || !right_axes) return std::nullopt;
  if (!contains(*right_axes, stage.target.back())) std::swap(left, right), std::swap(left_axes, right_axes);
  Contraction found{left->number, right->number, {}, std::move(*left_axes), std::move(*right_axes)};
  for (int i = 0; i < static_cast<int>(nest.iterators.size()); ++i) {
    const auto of = class_of(contains(found.left_axes, i), contains(found.right_axes, i), contains(stage.target, i));
    if (!of) return std::nullopt;
    found.classes.push_back(*of);
  }
  return found;
}

}  // namespace strata::ir
