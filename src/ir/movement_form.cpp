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

std::vector<IndexMap> all_bare(const LoopNest& nest, const std::vector<int>& iterators) {
  std::vector<IndexMap> index;
  for (const int iterator : iterators) index.push_back(bare(nest, iterator));
  return index;
}

// The operand of which the index is an element, operand[iterators].
std::optional<int> read_by(const LoopNest& nest, const IndexMap& index, const std::vector<int>& iterators) {
  if (index.terms.size() != 1) return std::nullopt;
  const int operand = index.terms[0].number;
  IndexMap map;
  map.coefficients.resize(nest.iterators.size());
  map.terms = {{IndexTerm::Kind::kOperand, 1, operand, 1, false, all_bare(nest, iterators)}};
  return index == map ? std::optional(operand) : std::nullopt;
}

// The access that all of the stage is.
const ScalarExpr* copied(const Stage& stage) {
  const bool is_map = stage.combiner == Combiner::kNone && stage.bounds.empty();
  return is_map && stage.body.kind == ScalarExpr::Kind::kOperand ? &stage.body : nullptr;
}

}  // namespace

std::optional<RowLookup> row_lookup(const LoopNest& nest) {
  const Stage& stage = nest.result();
  const ScalarExpr* const read = copied(stage);
  if (nest.stages.size() != 1 || stage.target.size() != 2 || !stage.place.empty() || read == nullptr) {
    return std::nullopt;
  }
  if (read->index.size() != 2 || read->index[1] != bare(nest, stage.target[1])) return std::nullopt;
  const auto numbers = read_by(nest, read->index[0], {stage.target[0]});
  return numbers && *numbers != read->number ? std::optional(RowLookup{read->number, *numbers}) : std::nullopt;
}

std::optional<ElementLookup> element_lookup(const LoopNest& nest) {
  const Stage& stage = nest.result();
  const ScalarExpr* const read = copied(stage);
  if (nest.stages.size() != 1 || stage.target.size() != 2 || !stage.place.empty() || read == nullptr) {
    return std::nullopt;
  }
  if (read->index.size() != 2 || read->index[0] != bare(nest, stage.target[0])) return std::nullopt;
  const auto numbers = read_by(nest, read->index[1], stage.target);
  return numbers && *numbers != read->number ? std::optional(ElementLookup{read->number, *numbers}) : std::nullopt;
}

std::optional<RowUpdate> row_update(const LoopNest& nest) {
  const Stage& stage = nest.result();
  const ScalarExpr* const read = copied(stage);
  if (nest.stages.size() != 1 || !nest.updated || stage.target.size() != 3 || stage.place.size() != 3 ||
      read == nullptr) {
    return std::nullopt;
  }
  const auto [head, row, column] = std::array{stage.target[0], stage.target[1], stage.target[2]};
  const bool is_in_place = stage.place[0] == bare(nest, head) && stage.place[2] == bare(nest, column);
  if (!is_in_place || read->index != all_bare(nest, {row, head, column})) return std::nullopt;
  const auto numbers = read_by(nest, stage.place[1], {row});
  const bool are_distinct = numbers && *numbers != read->number && *numbers != *nest.updated;
  if (!are_distinct || read->number == *nest.updated) return std::nullopt;
  return RowUpdate{*nest.updated, read->number, *numbers};
}

std::optional<Concatenation> concatenation(const LoopNest& nest) {
  if (nest.stages.size() != 2 || nest.updated || nest.result().place.empty()) return std::nullopt;
  const Stage& first = nest.stages[0];
  const Stage& second = nest.stages[1];
  const ScalarExpr* const front = copied(first);
  const ScalarExpr* const back = copied(second);
  if (first.place != all_bare(nest, first.target) || second.target.size() != first.target.size()) return std::nullopt;
  if (front == nullptr || back == nullptr || front->index != first.place) return std::nullopt;
  if (back->index != all_bare(nest, second.target)) return std::nullopt;
  int shifted = 0;
  for (std::size_t axis = 0; axis < first.target.size(); ++axis) {
    IndexMap behind = bare(nest, second.target[axis]);
    if (second.place[axis] == behind && first.target[axis] == second.target[axis]) continue;
    behind.terms = {{IndexTerm::Kind::kExtent, 1, first.target[axis]}};
    if (!(second.place[axis] == behind)) return std::nullopt;
    ++shifted;
  }
  return shifted == 1 ? std::optional(Concatenation{front->number, back->number}) : std::nullopt;
}

}  // namespace strata::ir
