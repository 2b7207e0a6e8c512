// SPDX-License-Identifier: Apache-2.0
#include "ir/movement_form.h"

#include <algorithm>
#include <array>

namespace strata::ir {
namespace {

IndexMap bare(const LoopNest& nest, int iterator) {
  IndexMap map;
  map.coefficients.resize(nest.iterators.size());
  map.coefficients[static_cast<std::size_t>(iterator)] = 1;
  return map;
}

// operand[iterator].
IndexMap read(const LoopNest& nest, int operand, int iterator) {
  IndexMap map;
  map.coefficients.resize(nest.iterators.size());
  map.terms = {{IndexTerm::Kind::kOperand, 1, operand, 1, false, {bare(nest, iterator)}}};
  return map;
}

bool reads(const Stage& stage, int operand, const std::vector<IndexMap>& index) {
  const bool is_map = stage.combiner == Combiner::kNone && stage.bounds.empty();
  return is_map && stage.body.kind == ScalarExpr::Kind::kOperand && stage.body.number == operand &&
         stage.body.index == index;
}

std::vector<IndexMap> all_bare(const LoopNest& nest, const std::vector<int>& iterators) {
  std::vector<IndexMap> index;
  for (const int iterator : iterators) index.push_back(bare(nest, iterator));
  return index;
}

}  // namespace

bool is_row_lookup(const LoopNest& nest) {
  const Stage& stage = nest.result();
  if (nest.stages.size() != 1 || stage.target.size() != 2 || !stage.place.empty()) return false;
  return reads(stage, 0, {read(nest, 1, stage.target[0]), bare(nest, stage.target[1])});
}

bool is_row_update(const LoopNest& nest) {
  const Stage& stage = nest.result();
  if (nest.stages.size() != 1 || nest.updated != 0 || stage.target.size() != 3) return false;
  const auto [head, row, column] = std::array{stage.target[0], stage.target[1], stage.target[2]};
  return stage.place == std::vector{bare(nest, head), read(nest, 2, row), bare(nest, column)} &&
         reads(stage, 1, all_bare(nest, {row, head, column}));
}

bool is_concatenation(const LoopNest& nest) {
  if (nest.stages.size() != 2 || nest.updated || nest.result().place.empty()) return false;
  const Stage& first = nest.stages[0];
  const Stage& second = nest.stages[1];
  if (first.place != all_bare(nest, first.target) || second.target.size() != first.target.size()) return false;
  if (!reads(first, 0, first.place) || !reads(second, 1, all_bare(nest, second.target))) return false;
  int shifted = 0;
  for (std::size_t axis = 0; axis < first.target.size(); ++axis) {
    IndexMap behind = bare(nest, second.target[axis]);
    if (second.place[axis] == behind && first.target[axis] == second.target[axis]) continue;
    behind.terms = {{IndexTerm::Kind::kExtent, 1, first.target[axis]}};
    if (!(second.place[axis] == behind)) return false;
    ++shifted;
  }
  return shifted == 1;
}

}  // namespace strata::ir
