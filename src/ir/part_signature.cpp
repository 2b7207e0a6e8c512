// SPDX-License-Identifier: Apache-2.0
#include "ir/part_signature.h"

#include <algorithm>

#include "ir/loop_division.h"

namespace strata::ir {
namespace {

// Whether the index is an element of an operand, as it is.
bool is_data(const IndexMap& map) {
  const bool has_iterators = std::ranges::any_of(map.coefficients, [](std::int64_t c) { return c != 0; });
  if (has_iterators || map.constant != 0 || map.terms.size() != 1) return false;
  const IndexTerm& term = map.terms[0];
  return term.kind == IndexTerm::Kind::kOperand && term.coefficient == 1 && term.divisor == 1 && !term.is_remainder;
}

void add_accesses(const ScalarExpr& expr, std::vector<const ScalarExpr*>& found) {
  if (expr.kind == ScalarExpr::Kind::kOperand) found.push_back(&expr);
  for (const ScalarExpr& argument : expr.arguments) add_accesses(argument, found);
  for (const Bound& bound : expr.bounds) add_accesses(bound.value, found);
}

// Everywhere that an element of the operand is read as a number.
std::vector<const ScalarExpr*> accesses_of(const LoopNest& nest, int operand) {
  std::vector<const ScalarExpr*> all;
  for (const Stage& stage : nest.stages) {
    add_accesses(stage.body, all);
    for (const Bound& bound : stage.bounds) add_accesses(bound.value, all);
  }
  std::erase_if(all, [&](const ScalarExpr* access) { return access->number != operand; });
  return all;
}

// The operand's axis read at places that are data: a part has zeros for what others have.
std::optional<SbpSignature> read_by_number(const LoopNest& nest, std::span<const TensorType> operands, int operand,
                                           std::size_t axis) {
  const auto number = static_cast<std::size_t>(operand);
  const auto accesses = accesses_of(nest, operand);
  const auto is_by_number = [&](const ScalarExpr* access) { return is_data(access->index[axis]); };
  if (accesses.empty() || !std::ranges::all_of(accesses, is_by_number)) return std::nullopt;
  std::vector<Sbp> partial(operands.size());
  partial[number] = Sbp::partial(Combiner::kSum);
  auto signature = divided(nest, operands, {}, std::move(partial));
  if (signature) signature->operands[number] = Sbp::split(static_cast<int>(axis));
  return signature;
}

// The axis of the operand that is updated at places that are data.
std::optional<SbpSignature> written_by_number(const LoopNest& nest, std::span<const TensorType> operands,
                                              std::size_t axis) {
  const int updated = *nest.updated;
  const bool is_by_number = std::ranges::all_of(
      nest.stages, [&](const Stage& stage) { return stage.place.empty() || is_data(stage.place[axis]); });
  const bool is_written_once = nest.stages.size() == 1 && !nest.result().place.empty();
  if (!is_written_once || !is_by_number || !accesses_of(nest, updated).empty()) return std::nullopt;
  std::vector<Sbp> placed(operands.size());
  placed[static_cast<std::size_t>(updated)] = Sbp::split(static_cast<int>(axis));
  return SbpSignature{std::move(placed), Sbp::split(static_cast<int>(axis))};
}

}  // namespace

std::vector<SbpSignature> part_signatures(const LoopNest& nest, std::span<const TensorType> operands,
                                          const TensorType& result) {
  std::vector<SbpSignature> found;
  const auto add = [&](const std::optional<SbpSignature>& signature) {
    if (!signature || std::ranges::count(found, *signature) > 0) return;
    const bool is_state = signature->result == Sbp::partial(Combiner::kTuple);
    if (is_state ? result.dtype == DType::kF32 : can_hold(result.dtype, signature->result)) found.push_back(*signature);
  };
  for (int i = 0; i < static_cast<int>(nest.iterators.size()); ++i) {
    const std::vector<Sbp> whole(operands.size());
    if (!divided(nest, operands, {.iterator = i}, whole)) add(divided(nest, operands, {i, true}, whole));
  }
  for (std::size_t i = 0; i < operands.size(); ++i) {
    for (std::size_t axis = 0; axis < operands[i].shape.size(); ++axis) {
      add(read_by_number(nest, operands, static_cast<int>(i), axis));
    }
  }
  if (!nest.updated) return found;
  const auto rank = operands[static_cast<std::size_t>(*nest.updated)].shape.size();
  for (std::size_t axis = 0; axis < rank; ++axis) add(written_by_number(nest, operands, axis));
  return found;
}

}  // namespace strata::ir
