// SPDX-License-Identifier: Apache-2.0
#include "schedule/strided_nest.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/ranges.h"

namespace strata::schedule {
namespace {

using ir::Dim;
using ir::ScalarExpr;

// a + b where both are multiples of the same symbols.
std::optional<Dim> sum(const Dim& a, const Dim& b) {
  if (a == Dim(0)) return b;
  if (b == Dim(0)) return a;
  if (!a.has_symbols_of(b)) return std::nullopt;
  return Dim(a.factor() + b.factor(), a.symbols());
}

Dim scaled(const Dim& dim, std::int64_t factor) {
  return factor == 0 ? Dim(0) : Dim(dim.factor() * factor, dim.symbols());
}

// Replaces the accesses of a body, but for those of a stage's own element, by numbers of strided ones, which are
// appended to the nest.
bool convert_accesses(ScalarExpr& body, const ir::Stage& reader, const std::vector<Strides>& operands,
                      StridedNest& nest) {
  const bool is_apart = body.kind == ScalarExpr::Kind::kStage && !body.index.empty();
  if (body.kind == ScalarExpr::Kind::kOperand || is_apart) {
    const Strides strides = is_apart ? Strides{Dim(1)} : operands[body.number];
    if (strides.size() != body.index.size()) return false;
    auto access = strided_access(body, strides, nest.iterators.size());
    if (!access) return false;
    if (is_apart) {
      access->stage = std::exchange(access->operand, -1);
      access->inside = nest.stages[static_cast<std::size_t>(access->stage)].target;
      std::erase_if(access->inside, [&](int i) { return contains(reader.target, i) || contains(reader.reduced, i); });
    }
    body.kind = ScalarExpr::Kind::kOperand;
    body.number = static_cast<int>(nest.accesses.size());
    body.index.clear();
    nest.accesses.push_back(std::move(*access));
  }
  return std::ranges::all_of(body.arguments,
                             [&](ScalarExpr& a) { return convert_accesses(a, reader, operands, nest); });
}

bool mentions_iterator(const ScalarExpr& body, int iterator) {
  const bool here = body.kind == ScalarExpr::Kind::kIterator || body.kind == ScalarExpr::Kind::kExtent;
  if (here && body.number == iterator) return true;
  return std::ranges::any_of(body.arguments, [&](const ScalarExpr& a) { return mentions_iterator(a, iterator); });
}

// Whether `list` has outer directly before inner, or neither of them.
bool keeps_together(const std::vector<int>& list, int outer, int inner) {
  const auto at = std::ranges::find(list, outer);
  if (at == list.end()) return std::ranges::find(list, inner) == list.end();
  return std::next(at) != list.end() && *std::next(at) == inner;
}

bool can_merge(const StridedNest& nest, int outer, int inner) {
  for (const StridedAccess& access : nest.accesses) {
    if (divides(access, outer) || divides(access, inner)) return false;
    if (contains(access.inside, outer) || contains(access.inside, inner)) return false;
  }
  for (const ir::Stage& stage : nest.stages) {
    if (!keeps_together(stage.target, outer, inner) || !keeps_together(stage.reduced, outer, inner)) return false;
    if (mentions_iterator(stage.body, outer) || mentions_iterator(stage.body, inner)) return false;
  }
  if (nest.iterators[outer].extent == Dim(1)) return true;
  return std::ranges::all_of(nest.accesses, [&](const StridedAccess& access) {
    return access.strides[inner] * nest.iterators[inner].extent == access.strides[outer];
  });
}

void renumber(ScalarExpr& body, int removed) {
  const bool counts = body.kind == ScalarExpr::Kind::kIterator || body.kind == ScalarExpr::Kind::kExtent;
  if (counts && body.number > removed) --body.number;
  for (ScalarExpr& argument : body.arguments) renumber(argument, removed);
}

void renumber(std::vector<int>& list, int removed) {
  std::erase(list, removed);
  for (int& iterator : list) iterator -= iterator > removed;
}

// The pair runs as the inner iterator with the product of the extents.
void merge(StridedNest& nest, int outer, int inner) {
  ir::Iterator& merged = nest.iterators[inner];
  merged.extent = nest.iterators[outer].extent * merged.extent;
  merged.name = nest.iterators[outer].name + merged.name;
  nest.iterators.erase(nest.iterators.begin() + outer);
  for (StridedAccess& access : nest.accesses) {
    access.strides.erase(access.strides.begin() + outer);
    for (DividedStride& divided : access.divided) divided.iterator -= divided.iterator > outer;
    renumber(access.inside, outer);
  }
  for (ir::Stage& stage : nest.stages) {
    renumber(stage.target, outer);
    renumber(stage.reduced, outer);
    renumber(stage.body, outer);
  }
}

bool merge_one(StridedNest& nest, const std::string& apart) {
  const std::vector<int> target = nest.result().target;
  for (std::size_t i = 1; i < target.size(); ++i) {
    const auto is_apart = [&](int iterator) { return nest.iterators[iterator].name == apart; };
    if (is_apart(target[i - 1]) || is_apart(target[i])) continue;
    if (!can_merge(nest, target[i - 1], target[i])) continue;
    merge(nest, target[i - 1], target[i]);
    return true;
  }
  return false;
}

bool is_of_iterators(const ScalarExpr& body) {
  return body.kind != ScalarExpr::Kind::kReduce && std::ranges::all_of(body.index, ir::is_of_iterators) &&
         std::ranges::all_of(body.arguments, is_of_iterators);
}

bool is_rectangular(const ir::Stage& stage) {
  return stage.bounds.empty() && stage.place.empty() && is_of_iterators(stage.body);
}

bool reads_index(const ScalarExpr& body, int iterator) {
  if (body.kind == ScalarExpr::Kind::kIterator && body.number == iterator) return true;
  return std::ranges::any_of(body.arguments, [&](const ScalarExpr& a) { return reads_index(a, iterator); });
}

bool reads_in_lanes(const StridedNest& nest, const ScalarExpr& body, int iterator, std::int64_t lanes) {
  if (body.kind == ScalarExpr::Kind::kOperand) {
    const StridedAccess& access = nest.accesses[static_cast<std::size_t>(body.number)];
    const bool is_of_stage = access.stage >= 0;
    if (is_of_stage && contains(nest.stages[static_cast<std::size_t>(access.stage)].target, iterator)) return false;
    return stride_in_lanes(access, iterator) && std::ranges::all_of(access.divided, [&](const DividedStride& divided) {
             return divided.iterator != iterator || divided.divisor % lanes == 0;
           });
  }
  return std::ranges::all_of(body.arguments,
                             [&](const ScalarExpr& a) { return reads_in_lanes(nest, a, iterator, lanes); });
}

}  // namespace

Strides row_major_strides(const ir::Shape& shape) {
  Strides strides(shape.size(), Dim(1));
  for (std::size_t axis = shape.size(); axis-- > 1;) {
    strides[axis - 1] = strides[axis] * shape[axis];
  }
  return strides;
}

std::optional<StridedAccess> strided_access(const ScalarExpr& access, const Strides& operand, std::size_t iterators) {
  StridedAccess result{.operand = access.number, .strides = Strides(iterators, Dim(0)), .symbolic_offsets = {}};
  for (std::size_t axis = 0; axis < access.index.size(); ++axis) {
    const ir::IndexMap& index = access.index[axis];
    for (const ir::IndexTerm& term : index.terms) {
      result.divided.push_back({term.number, term.divisor, term.is_remainder, scaled(operand[axis], term.coefficient)});
    }
    for (std::size_t i = 0; i < index.coefficients.size(); ++i) {
      const auto stride = sum(result.strides[i], scaled(operand[axis], index.coefficients[i]));
      if (!stride) return std::nullopt;
      result.strides[i] = *stride;
    }
    if (index.constant == 0) continue;
    const Dim offset = scaled(operand[axis], index.constant);
    if (offset.is_constant()) {
      result.offset += offset.factor();
    } else {
      result.symbolic_offsets.push_back(offset);
    }
  }
  return result;
}

std::optional<StridedNest> strided_nest(const ir::LoopNest& nest, const std::vector<Strides>& operands, int apart) {
  if (!std::ranges::all_of(nest.stages, is_rectangular)) return std::nullopt;
  StridedNest result{nest.iterators, nest.stages, {}};
  for (ir::Stage& stage : result.stages) {
    if (!convert_accesses(stage.body, stage, operands, result)) return std::nullopt;
  }
  const std::string name = apart < 0 ? "" : nest.iterators[static_cast<std::size_t>(apart)].name;
  while (merge_one(result, name)) {
  }
  return result;
}

bool reads_apart(const StridedNest& nest, const ScalarExpr& body, int stage) {
  const bool is_access = body.kind == ScalarExpr::Kind::kOperand;
  if (is_access && nest.accesses[static_cast<std::size_t>(body.number)].stage == stage) return true;
  return std::ranges::any_of(body.arguments, [&](const ScalarExpr& a) { return reads_apart(nest, a, stage); });
}

bool reads_stage(const StridedNest& nest, const ScalarExpr& body, int stage) {
  if (body.kind == ScalarExpr::Kind::kStage && body.number == stage) return true;
  return reads_apart(nest, body, stage) ||
         std::ranges::any_of(body.arguments, [&](const ScalarExpr& a) { return reads_stage(nest, a, stage); });
}

bool divides(const StridedAccess& access, int iterator) {
  return std::ranges::any_of(access.divided,
                             [&](const DividedStride& divided) { return divided.iterator == iterator; });
}

std::optional<Dim> stride_in_lanes(const StridedAccess& access, int iterator) {
  std::optional<Dim> stride = access.strides[static_cast<std::size_t>(iterator)];
  for (const DividedStride& divided : access.divided) {
    if (divided.iterator == iterator && divided.is_remainder && stride) stride = sum(*stride, divided.stride);
  }
  return stride;
}

bool can_run_in_lanes(const StridedNest& nest, int stage, int iterator, std::int64_t lanes) {
  if (lanes == 1) return true;
  const ScalarExpr& body = nest.stages[static_cast<std::size_t>(stage)].body;
  return !reads_index(body, iterator) && reads_in_lanes(nest, body, iterator, lanes);
}

int find_iterator(const StridedNest& nest, const std::string& name) {
  const auto found = std::ranges::find(nest.iterators, name, &ir::Iterator::name);
  return found == nest.iterators.end() ? -1 : static_cast<int>(found - nest.iterators.begin());
}

}  // namespace strata::schedule
