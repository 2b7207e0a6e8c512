// SPDX-License-Identifier: Apache-2.0
#include "ir/contraction.h"

#include <algorithm>
#include <numeric>
#include <utility>

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

// The operands that are multiplied; false where something else is.
bool collect_factors(const ScalarExpr& body, std::vector<const ScalarExpr*>& factors) {
  if (body.kind == ScalarExpr::Kind::kOperand) {
    factors.push_back(&body);
    return true;
  }
  return body.kind == ScalarExpr::Kind::kCall && body.name == "mul" && collect_factors(body.arguments[0], factors) &&
         collect_factors(body.arguments[1], factors);
}

std::optional<Contraction> product_of(const LoopNest& nest, const ScalarExpr& a, const ScalarExpr& b) {
  const std::vector<int>& target = nest.result().target;
  const bool is_swapped = !contains(*axes_of(b), target.back());
  const ScalarExpr& left = is_swapped ? b : a;
  const ScalarExpr& right = is_swapped ? a : b;
  Contraction found{left.number, right.number, {}, *axes_of(left), *axes_of(right)};
  for (int i = 0; i < static_cast<int>(nest.iterators.size()); ++i) {
    const auto of = class_of(contains(found.left_axes, i), contains(found.right_axes, i), contains(target, i));
    if (!of) return std::nullopt;
    found.classes.push_back(*of);
  }
  return found;
}

// The iterator whose quotient an index is, and the divisor.
std::optional<std::pair<int, std::int64_t>> quotient(const IndexMap& index) {
  const bool has_more = std::ranges::any_of(index.coefficients, [](std::int64_t c) { return c != 0; });
  if (has_more || index.constant != 0 || index.terms.size() != 1) return std::nullopt;
  const IndexTerm& term = index.terms[0];
  if (term.kind != IndexTerm::Kind::kIterator || term.is_remainder || term.coefficient != 1) return std::nullopt;
  return std::pair(term.number, term.divisor);
}

// Of an access that shares its elements among blocks of a summed iterator; its other axes are those of one operand.
std::optional<BlockFactor> block_factor(const ScalarExpr& access, const Contraction& of) {
  if (access.index.empty()) return std::nullopt;
  const auto last = quotient(access.index.back());
  if (!last || of.classes[static_cast<std::size_t>(last->first)] != IteratorClass::kK) return std::nullopt;
  BlockFactor factor{access.number, false, last->second, {}};
  for (std::size_t axis = 0; axis + 1 < access.index.size(); ++axis) {
    const auto iterator = bare_iterator(access.index[axis]);
    if (!iterator || contains(factor.axes, *iterator)) return std::nullopt;
    factor.axes.push_back(*iterator);
  }
  factor.is_left = std::ranges::all_of(factor.axes, [&](int axis) { return contains(of.left_axes, axis); });
  const bool is_right = std::ranges::all_of(factor.axes, [&](int axis) { return contains(of.right_axes, axis); });
  if (factor.is_left == is_right) return std::nullopt;
  factor.axes.push_back(last->first);
  return factor;
}

bool is_operand_of(const Contraction& of, int operand) {
  return operand == of.left || operand == of.right ||
         std::ranges::any_of(of.factors, [&](const BlockFactor& factor) { return factor.operand == operand; });
}

}  // namespace

std::optional<int> Contraction::only(IteratorClass wanted) const {
  if (std::ranges::count(classes, wanted) != 1) return std::nullopt;
  return static_cast<int>(std::ranges::find(classes, wanted) - classes.begin());
}

std::int64_t Contraction::block() const {
  std::int64_t unit = 1;
  for (const BlockFactor& factor : factors) unit = std::lcm(unit, factor.block);
  return unit;
}

std::optional<Contraction> contraction(const LoopNest& nest) {
  const Stage& stage = nest.result();
  if (nest.stages.size() != 1 || !is_plain(nest) || stage.combiner != Combiner::kSum || stage.target.empty())
    return std::nullopt;
  std::vector<const ScalarExpr*> accesses;
  if (!collect_factors(stage.body, accesses)) return std::nullopt;
  std::vector<const ScalarExpr*> blocked;
  std::erase_if(accesses, [&](const ScalarExpr* access) {
    const bool is_plain = axes_of(*access).has_value();
    if (!is_plain) blocked.push_back(access);
    return !is_plain;
  });
  if (accesses.size() != 2 || accesses[0]->number == accesses[1]->number) return std::nullopt;
  auto found = product_of(nest, *accesses[0], *accesses[1]);
  if (!found) return std::nullopt;
  for (const ScalarExpr* access : blocked) {
    auto factor = block_factor(*access, *found);
    if (!factor || is_operand_of(*found, factor->operand)) return std::nullopt;
    found->factors.push_back(std::move(*factor));
  }
  std::ranges::sort(found->factors, {}, [](const BlockFactor& f) { return std::pair(f.block, f.operand); });
  return found;
}

}  // namespace strata::ir
